import { asError, type Backend } from "../ipc/api";
import type { ClusterDto, ClustersPage } from "../ipc/types";
import { Wait } from "../shared/wait.svelte";

/** The contexts and how their connections stand. */
export class ClustersStore {
  page = $state<ClustersPage | null>(null);
  error = $state<string | null>(null);
  readonly wait = new Wait();
  #backend: Backend;
  #newest = new Map<string, ClusterDto>();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  get all(): ClusterDto[] {
    return this.page?.clusters ?? [];
  }

  get watched(): ClusterDto[] {
    return this.all.filter((cluster) => cluster.watched);
  }

  get paused(): boolean {
    return this.page?.paused ?? false;
  }

  byName(name: string): ClusterDto | undefined {
    return this.all.find((cluster) => cluster.name === name);
  }

  async read(): Promise<void> {
    this.#newest.clear();
    await this.wait.for(async (wanted) => {
      try {
        const page = await this.#backend.clusters();
        if (!wanted()) return;
        // What was told while the page was on its way is newer than the page.
        this.page = { ...page, clusters: page.clusters.map((c) => this.#newest.get(c.name) ?? c) };
        this.error = null;
      } catch (thrown) {
        if (wanted()) this.error = asError(thrown).message;
      }
    });
  }

  receive(cluster: ClusterDto): void {
    if (this.wait.since !== null) this.#newest.set(cluster.name, cluster);
    if (!this.page) return;
    if (!this.byName(cluster.name)) {
      void this.read();
      return;
    }
    this.page = { ...this.page, clusters: this.all.map((c) => (c.name === cluster.name ? cluster : c)) };
  }
}
