import { expect, test } from "vitest";
import type { DrillDto } from "../ipc/types";
import { progress, storyTime } from "./drill";

const at = (text: string) => Date.parse(`2026-11-12T${text}Z`);
const drill: DrillDto = {
  title: "t",
  summary: "",
  starts_at: "2026-11-12T02:50:00Z",
  ends_at: "2026-11-12T03:00:00Z",
  speed: 60,
  begun_at: "2026-11-12T02:59:50Z",
};

test("a story runs fast to the present and walks with it from then on", () => {
  expect(storyTime(at("02:59:50"), drill)).toBe(at("02:50:00"));
  expect(storyTime(at("02:59:55"), drill)).toBe(at("02:55:00"));
  expect(storyTime(at("03:00:00"), drill)).toBe(at("03:00:00"));
  expect(storyTime(at("03:00:07"), drill)).toBe(at("03:00:07"));
});

test("a story that has not begun waits at its first moment", () => {
  const waiting = { ...drill, begun_at: null };
  expect(storyTime(at("02:59:55"), waiting)).toBe(at("02:50:00"));
  expect(storyTime(at("02:59:49"), drill)).toBe(at("02:50:00"));
  expect(progress(at("02:50:00"), waiting)).toBe("waiting");
  expect(progress(at("02:55:00"), drill)).toBe("playing");
  expect(progress(at("03:00:00"), drill)).toBe("over");
});

test("without a drill it is the real time", () => {
  expect(storyTime(7, null)).toBe(7);
});
