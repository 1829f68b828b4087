import { expect, it } from "vitest";
import { Fake } from "../ipc/fake";
import type { Inbox } from "../ipc/types";
import { InboxStore } from "./inbox.svelte";

const turn = () => new Promise((done) => setTimeout(done));

/** A program whose parts of the inbox come one by one, as they are let through. */
function slow() {
  const fake = new Fake("many");
  const waiting: (() => void)[] = [];
  const asked: number[] = [];
  const inbox = async (offset: number): Promise<Inbox> => {
    asked.push(offset);
    await new Promise<void>((go) => waiting.push(go));
    return fake.inbox(offset);
  };
  const next = async () => {
    waiting.shift()?.();
    await turn();
    await turn();
  };
  return { store: new InboxStore(Object.assign(Object.create(fake), { inbox })), fake, asked, next };
}

it("a long inbox is shown from its first part on, and is whole after its last", async () => {
  const { store, fake, asked, next } = slow();
  const listed: number[] = [];
  store.onlisted = (all) => listed.push(all.length);
  const done = store.list();
  expect([store.loaded, store.reading]).toEqual([false, false]);
  await next();
  expect([store.loaded, store.reading, store.incidents.length]).toEqual([true, true, 1000]);
  await next();
  expect(store.incidents).toHaveLength(1980);
  expect(listed, "it is no list before it is whole").toEqual([]);
  while (store.reading) await next();
  await done;
  expect(store.incidents).toHaveLength(fake.incidents.length);
  expect(listed).toEqual([fake.incidents.length]);
  expect(asked.slice(0, 3)).toEqual([0, 980, 1960]);
});

it("what is on screen stays whole while a long list is read again", async () => {
  const { store, fake, next } = slow();
  const first = store.list();
  do await next();
  while (store.reading);
  await first;
  const again = store.list();
  await next();
  expect([store.incidents.length, store.reading]).toEqual([fake.incidents.length, false]);
  for (let part = 0; part < 11; part++) await next();
  await again;
});

it("an incident that moves from one part into the next while they are read is there once", async () => {
  const { store, fake, next } = slow();
  const done = store.list();
  await next();
  const [newest] = fake.incidents;
  if (!newest) throw new Error("there are incidents");
  fake.incidents = [{ ...newest, id: "01995f2a-7c00-7000-8000-00000000ffff" }, ...fake.incidents];
  while (store.reading) await next();
  await done;
  expect(new Set(store.incidents.map((i) => i.id)).size).toBe(store.incidents.length);
});
