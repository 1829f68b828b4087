// The words of the wire, in one place for the rest of the window. The types themselves are generated.
export type { ActionDto } from "./contract/ActionDto";
export type { AppEvent } from "./contract/AppEvent";
export type { CauseDto } from "./contract/CauseDto";
export type { ChangeDto } from "./contract/ChangeDto";
export type { ClusterDto } from "./contract/ClusterDto";
export type { ClustersPage } from "./contract/ClustersPage";
export type { CoverageSpan } from "./contract/CoverageSpan";
export type { EvidenceDto } from "./contract/EvidenceDto";
export type { FindingDto } from "./contract/FindingDto";
export type { GapDto } from "./contract/GapDto";
export type { Inbox } from "./contract/Inbox";
export type { IncidentDto } from "./contract/IncidentDto";
export type { IncidentPage } from "./contract/IncidentPage";
export type { IncidentSummary } from "./contract/IncidentSummary";
export type { NotesDto } from "./contract/NotesDto";
export type { ObjectRefDto } from "./contract/ObjectRefDto";
export type { PostmortemDto } from "./contract/PostmortemDto";
export type { SilenceDto } from "./contract/SilenceDto";
export type { TimelineDto } from "./contract/TimelineDto";
export type { UnreadableKind } from "./contract/UnreadableKind";
export type { WindowError } from "./contract/WindowError";

/** What the program says of itself. */
export interface AppInfo {
  version: string;
  /** Where the record lies. */
  database: string;
  /** No context was ever chosen. */
  first_run: boolean;
  /** The desktop shows a tray, so closing the window keeps watching. */
  can_tray: boolean;
}
