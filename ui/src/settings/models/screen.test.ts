import { afterEach, describe, expect, it, vi } from "vitest";
import { BackendError } from "../../ipc/api";
import type { ModelJobDto } from "../../ipc/types";
import { openWindow as open, settle } from "../../testing/window";
import { dropped, sizes, tooLarge, wayTo } from "./words";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const HERE = "#/settings/models";
const text = (of: Element | null | undefined) => of?.textContent?.replace(/\s+/g, " ").trim() ?? "";
const row = (name: string) =>
  [...document.querySelectorAll("tbody tr")].find((tr) => text(tr.querySelector(".name")).startsWith(name)) ??
  expect.fail(`no row ${name}`);
const radio = (name: string) =>
  document.querySelector<HTMLInputElement>(`input[type=radio][aria-label^="${name}"]`) ?? expect.fail(`no ${name}`);
const chosen = () => document.querySelector<HTMLInputElement>("input[type=radio]:checked")?.getAttribute("aria-label");
const footer = () => text(document.querySelector("footer .model"));
const confirm = async () => {
  [...document.querySelectorAll<HTMLButtonElement>("dialog footer button")].at(-1)?.click();
  await settle();
};
const job = (more: Partial<ModelJobDto> = {}): ModelJobDto => ({
  kind: "download",
  model: "Qwen3-1.7B-Q8_0",
  done: 1_100_000_000,
  all: 1_834_426_016,
  unit: "bytes",
  left_s: 180,
  failed: null,
  ...more,
});
async function write(label: string, value: string) {
  const of = [...document.querySelectorAll("label")].find((l) => text(l) === label);
  const field = document.getElementById(of?.htmlFor ?? "") as HTMLInputElement | null;
  if (!field) throw new Error(`no field ${label}`);
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  await settle();
  return field;
}

describe("the models", () => {
  it("that are here show licence, size, memory and how they did, beside the memory of the machine", async () => {
    const w = await open("night", HERE);
    expect(w.text()).toContain("16.0 GB memory, 9.1 GB free");
    expect(text(row("Qwen3-4B Instruct"))).toMatch(/Apache-2\.0 ?2\.5 GB ?3\.6 GB ?187 of 212 ?4\.1 s/);
    expect(text(row("house-tuned"))).toContain("needs 9.8 GB of memory, 9.1 GB are free now");
    expect(text(row("house-tuned"))).toContain("its checksum is in no catalogue");
    expect(text(row("house-tuned"))).toContain("not tested");
  });

  it("are chosen, and None is a choice like any other", async () => {
    const w = await open("night", HERE);
    expect([chosen(), footer()]).toEqual(["Qwen3-4B Instruct", "Model:Qwen3-4B Instruct, on this laptop"]);
    radio("None").click();
    await settle();
    expect([chosen(), footer(), w.backend.assistant.page.state.phase]).toEqual(["None", "Model:Rules only", "none"]);
    radio("house-tuned").click();
    await settle();
    expect([chosen(), footer()]).toEqual(["house-tuned-7b-q5", "Model:house-tuned-7b-q5, on this laptop"]);
  });

  it("whose file cannot be judged cannot be chosen, which is said", async () => {
    await open("night", HERE, (fake) => {
      const [first, other] = fake.assistant.page.installed;
      if (!first || !other) throw new Error("two are needed");
      const broken = { ...other, architecture: "", parameters: 0, context: 0, sha256: "" };
      fake.assistant.page = { ...fake.assistant.page, installed: [first, broken] };
    });
    expect(text(row("house-tuned"))).toContain("its header cannot be read");
    expect(text(row("house-tuned"))).not.toContain("parameters");
    expect(radio("house-tuned").disabled).toBe(true);
  });

  it("whose choice is refused leave the mark where it was", async () => {
    const w = await open("night", HERE);
    w.backend.refuse.set("chooseModel", new BackendError("It needs 9.8 GB of memory, 9.1 GB are free."));
    radio("house-tuned").click();
    await settle();
    expect(chosen()).toBe("Qwen3-4B Instruct");
    expect(w.text()).toContain("It needs 9.8 GB of memory");
  });

  it("are removed after a question", async () => {
    const w = await open("night", HERE);
    w.button("Remove Qwen3-4B Instruct…").click();
    await settle();
    expect(text(document.querySelector("dialog"))).toContain("Until another model is chosen, the rules write.");
    await confirm();
    expect(w.backend.assistant.page.installed.map((m) => m.id)).toEqual(["house-tuned-7b-q5"]);
    expect([chosen(), footer()]).toEqual(["None", "Model:Rules only"]);
  });

  it("of which none is here say what to do", async () => {
    const w = await open("night", HERE, (fake) => fake.assistant.clear());
    expect(w.text()).toContain("No model file is here yet. Import one, or get one below.");
    expect(chosen()).toBe("None");
  });

  it("cannot run on a processor without AVX2, which is said; None and a server stay", async () => {
    const w = await open("night", HERE, (fake) => {
      fake.assistant.page = { ...fake.assistant.page, processor_fits: false };
    });
    expect(w.text()).toContain("processor lacks AVX2: no model can run on it.");
    expect([radio("house-tuned").disabled, radio("None").disabled]).toEqual([true, false]);
    expect(w.button("Download Qwen3-1.7B…").disabled).toBe(true);
    expect(w.button("Test again").disabled).toBe(true);
    expect(w.text()).not.toContain("fits here");
    expect(w.button("Use a server…").disabled).toBe(false);
  });

  it("that cannot be read say why, and are read again", async () => {
    const w = await open("night", HERE, (fake) => fake.refuse.set("models", new BackendError("The folder is gone.")));
    expect(text(document.querySelector("[role=alert]"))).toContain("The folder is gone.");
    w.backend.refuse.clear();
    w.button("Try again").click();
    await settle();
    expect(chosen()).toBe("Qwen3-4B Instruct");
  });

  it("are waited for in sight, and the wait can be given up", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] });
    const w = await open("night", HERE, (fake) => void (fake.slow = 60_000));
    await vi.advanceTimersByTimeAsync(6500);
    await settle();
    expect(w.text()).toMatch(/Reading the models, [56] s/);
    w.button("Cancel").click();
    await settle();
    expect(w.text()).toContain("The models were not read.");
  });

  it("are gone to from the watch bar", async () => {
    await open("night", "#/incidents");
    document.querySelector<HTMLAnchorElement>("footer .model")?.click();
    await settle();
    expect(location.hash).toBe(HERE);
    expect(chosen()).toBe("Qwen3-4B Instruct");
  });
});

describe("models that can be had", () => {
  it("say for whom they are, what they need, and where they are; those that are here are not among them", async () => {
    const w = await open("night", HERE);
    const items = [...document.querySelectorAll("li")].map(text);
    expect(items.some((i) => i.startsWith("Qwen3-4B Instruct"))).toBe(false);
    const small = items.find((i) => i.startsWith("Qwen3-1.7B"));
    expect(small).toContain("For small or busy laptops");
    expect(small).toMatch(/Apache-2\.0, 1\.8 GB, needs 2\.6 GB of memory.*fits here/);
    expect(items.find((i) => i.startsWith("Qwen3-14B"))).toContain("needs 10.8 GB of memory, 9.1 GB are free now");
    w.button("Copy the address of Gemma 3 4B").click();
    await settle();
    expect(w.backend.copied).toEqual(["https://huggingface.co/google/gemma-3-4b-it-Q4_0"]);
  });

  it("are downloaded after a question, with what the other side learns; one whose hash is unknown is not offered", async () => {
    const w = await open("night", HERE);
    expect(() => w.button("Download Gemma")).toThrow();
    expect(w.text()).toContain("Not offered for download: its checksum is not known");
    w.button("Download Qwen3-1.7B…").click();
    await settle();
    expect(text(document.querySelector("dialog"))).toContain("huggingface.co learns this laptop's address");
    expect(w.backend.assistant.page.job).toBeNull();
    await confirm();
    expect(w.backend.assistant.page.job).toMatchObject({ kind: "download", model: "Qwen3-1.7B-Q8_0" });
    expect(w.text()).toContain("Downloading Qwen3-1.7B, 0 bytes of 1.8 GB");
  });

  it("cannot be fetched offline, which is said", async () => {
    vi.spyOn(navigator, "onLine", "get").mockReturnValue(false);
    const w = await open("night", HERE);
    expect(w.text()).toContain("This laptop is offline: nothing can be downloaded now");
    expect(w.button("Download Qwen3-1.7B…").disabled).toBe(true);
    vi.spyOn(navigator, "onLine", "get").mockReturnValue(true);
    window.dispatchEvent(new Event("online"));
    await settle();
    expect(w.button("Download Qwen3-1.7B…").disabled).toBe(false);
  });
});

describe("what takes a while", () => {
  it("counts up in numbers, is not begun twice, goes on elsewhere, and is cancelled", async () => {
    const w = await open("night", HERE);
    const models = vi.spyOn(w.backend.assistant, "models");
    w.backend.assistant.work(job({ done: 0 }));
    await settle();
    expect(models).toHaveBeenCalledTimes(1);
    w.backend.assistant.work(job());
    await settle();
    expect(models).toHaveBeenCalledTimes(1);
    expect(w.text()).toContain("Downloading Qwen3-1.7B, 1.1 of 1.8 GB, 3 m left");
    const bar = document.querySelector(".job progress");
    expect([bar?.getAttribute("value"), bar?.getAttribute("aria-valuetext")]).toEqual([
      "1100000000",
      "Downloading Qwen3-1.7B, 1.1 of 1.8 GB, 3 m left",
    ]);
    expect([w.button("Import a .gguf…").disabled, w.button("Test again").disabled]).toEqual([true, true]);
    location.hash = "#/incidents";
    window.dispatchEvent(new HashChangeEvent("hashchange"));
    await settle();
    w.backend.assistant.work(job({ done: 1_500_000_000, left_s: 60 }));
    location.hash = HERE;
    window.dispatchEvent(new HashChangeEvent("hashchange"));
    await settle();
    expect(w.text()).toContain("1.5 of 1.8 GB, 1 m left");
    w.button("Cancel").click();
    await settle();
    expect(document.querySelector(".job")).toBeNull();
    expect(w.button("Import a .gguf…").disabled).toBe(false);
  });

  it("and fails says why, until that is read", async () => {
    const w = await open("night", HERE);
    w.backend.assistant.work(job({ failed: "Checksum differs, file deleted. Download it again." }));
    await settle();
    expect(text(document.querySelector("[role=alert]"))).toContain("Qwen3-1.7B was not downloaded.");
    expect(text(document.querySelector("[role=alert]"))).toContain("Checksum differs, file deleted.");
    expect(w.button("Import a .gguf…").disabled).toBe(false);
    // The program tells it once; here it stays until it was read.
    w.backend.assistant.work(null);
    await settle();
    expect(text(document.querySelector("[role=alert]"))).toContain("Checksum differs, file deleted.");
    w.button("Close").click();
    await settle();
    expect(document.querySelector("[role=alert]")).toBeNull();
  });

  it("is told of elsewhere when it fails, and stands here when one comes back", async () => {
    const w = await open("night", "#/incidents");
    w.backend.assistant.work(job({ failed: "The disk is full: 0.7 GB are missing." }));
    await settle();
    expect(w.text()).toContain("The disk is full: 0.7 GB are missing.");
    w.backend.assistant.work(null);
    w.button("Close").click();
    document.querySelector<HTMLAnchorElement>("footer .model")?.click();
    await settle();
    expect(text(document.querySelector("[role=alert]"))).toContain("The disk is full");
    w.backend.assistant.work(job());
    await settle();
    expect(document.querySelector("[role=alert]")).toBeNull();
  });

  it("ends with a page that is read again", async () => {
    const w = await open("night", HERE);
    w.button("Test: house-tuned").click();
    await settle();
    expect(w.text()).toContain("Testing house-tuned-7b-q5, 0 of 24 incidents");
    w.backend.assistant.examined("house-tuned-7b-q5");
    await settle();
    expect(text(row("house-tuned"))).toContain("187 of 212");
  });
});

describe("a file", () => {
  it("is chosen by the system's dialog, in which one may change one's mind", async () => {
    const w = await open("night", HERE, (fake) => (fake.assistant.changesMind = true));
    w.button("Import a .gguf…").click();
    await settle();
    expect([w.backend.assistant.imported, document.querySelector(".job")]).toEqual([[], null]);
    w.backend.assistant.changesMind = false;
    w.button("Import a .gguf…").click();
    await settle();
    expect(w.backend.assistant.imported).toEqual([null]);
    expect(w.text()).toContain("Importing Qwen3-8B-Q4_K_M.gguf, 0 bytes of 5.0 GB, 41 s left");
  });

  it("is dropped on the page, which shows where", async () => {
    const w = await open("night", HERE);
    w.backend.assistant.drop({ type: "over" });
    await settle();
    expect(w.text()).toContain("Drop a .gguf to import it");
    w.backend.assistant.drop({ type: "leave" });
    await settle();
    expect(w.text()).not.toContain("Drop a .gguf to import it");
    w.backend.assistant.drop({ type: "over" });
    w.backend.assistant.drop({ type: "drop", paths: ["/home/mara/Downloads/My model.GGUF"] });
    await settle();
    expect(w.backend.assistant.imported).toEqual(["/home/mara/Downloads/My model.GGUF"]);
    expect(w.text()).not.toContain("Drop a .gguf to import it");
    expect(w.text()).toContain("Importing My model.GGUF");
  });

  it("that is none of these, or dropped elsewhere, is not imported", async () => {
    const w = await open("night", HERE);
    w.backend.assistant.drop({ type: "drop", paths: ["/home/mara/notes.zip"] });
    await settle();
    expect(text(document.querySelector("[role=alert]"))).toContain("Not a .gguf file: notes.zip");
    location.hash = "#/incidents";
    window.dispatchEvent(new HashChangeEvent("hashchange"));
    await settle();
    w.backend.assistant.drop({ type: "drop", paths: ["/home/mara/a.gguf"] });
    await settle();
    expect(w.backend.assistant.imported).toEqual([]);
  });

  it("is refused with the reason where the program refuses it", async () => {
    const w = await open("night", HERE);
    w.backend.refuse.set("importModel", new BackendError("The header says 5.0 GB, the file has 1.2 GB."));
    w.backend.assistant.drop({ type: "drop", paths: ["/home/mara/a.gguf"] });
    await settle();
    expect(w.text()).toContain("The header says 5.0 GB, the file has 1.2 GB.");
  });

  it.each([
    [["a.gguf", "b.gguf"], false, "2 files were dropped. They are imported one at a time."],
    [[], false, "Nothing was dropped that is a file."],
    [["C:\\models\\a.gguf"], true, "Something else is under way. Drop a.gguf again when it has ended."],
  ])("%o while busy is %s: %s", (paths, busy, refused) => expect(dropped(paths, busy)).toEqual({ refused }));
});

describe("test my model", () => {
  it("ends in one sentence with the figures behind it", async () => {
    const w = await open("night", HERE);
    expect(text(document.querySelector(".verdict"))).toMatch(/^Good enough to word causes/);
    const bars = [...document.querySelectorAll(".bar")].map(text);
    expect(bars).toEqual([
      "Valid answers 71 of 72",
      "Right step put first 20 of 22",
      "Sentences tied to evidence 187 of 212",
      "Wrong sentences caughtstruck or marked19",
      "Speedfirst word after 4.1 s9.2 tokens a second",
    ]);
    expect(w.text()).toContain("24 recorded incidents were put to it.");
  });

  it("is begun for a model without a result, and says that it is under way", async () => {
    const w = await open("night", HERE);
    radio("house-tuned").click();
    await settle();
    expect(w.text()).toContain("At least 20 recorded incidents are put to it");
    w.button("Test my model").click();
    await settle();
    expect(w.backend.assistant.page.job).toMatchObject({ kind: "exam", model: "house-tuned-7b-q5" });
    expect(w.text()).toContain("The test is under way.");
  });
});

describe("an inference server", () => {
  it("is off until it is used, with what leaves the laptop said before", async () => {
    const w = await open("night", HERE);
    expect(document.querySelector("input[type=url]")).toBeNull();
    w.button("Use a server…").click();
    await settle();
    expect(w.text()).toContain("With a server, what is recorded leaves this laptop.");
    expect(w.button("Use").disabled).toBe(true);
    await write("Address", "http://llm.acme.example/v1");
    expect(w.text()).toContain("whoever is on the way can read all of it");
    await write("Address", "https://llm.acme.example/v1");
    expect(w.text()).not.toContain("whoever is on the way");
    await write("Model", "qwen3-8b");
    await write("Key", "sk-secret");
    expect(w.backend.assistant.page.server).toBeNull();
    w.button("Try").click();
    await settle();
    expect(w.text()).toContain("qwen3-8b answered after 0.4 s");
    expect(w.backend.assistant.page.server).toBeNull();
    document.querySelector("form")?.requestSubmit();
    await settle();
    expect(w.backend.assistant.page.server).toMatchObject({ chosen: true, has_key: true });
    expect(chosen()).toBe("qwen3-8b, on llm.acme.example");
    expect(footer()).toBe("Model:qwen3-8b, on llm.acme.example");
    // The key is not shown again, and the kept one is left alone.
    const key = document.querySelector<HTMLInputElement>("input[type=password]");
    expect([key?.value, key?.placeholder]).toEqual(["", "one is kept in the system's keychain"]);
    w.button("Try").click();
    await settle();
    expect(w.backend.assistant.keys).toEqual(["sk-secret", "sk-secret", null]);
  });

  it("on this laptop takes nothing away from it, and an address that is none is refused", async () => {
    const w = await open("night", HERE);
    w.button("Use a server…").click();
    await settle();
    await write("Address", "http://localhost:8080/v1");
    expect(w.text()).toContain("This address is this laptop: nothing leaves it.");
    await write("Address", "localhost:8080");
    expect(w.text()).toContain("An address reads like http://localhost:8080/v1.");
    expect(w.button("Try").disabled).toBe(true);
  });

  it("that does not answer says so in its own words", async () => {
    const w = await open("night", HERE);
    w.button("Use a server…").click();
    await settle();
    await write("Address", "https://llm.acme.example/v1");
    await write("Model", "qwen3-8b");
    w.backend.refuse.set("tryModelServer", new BackendError("401: the key is not known there."));
    w.button("Try").click();
    await settle();
    expect(text(document.querySelector("[role=alert]"))).toContain("llm.acme.example did not answer as it should.");
    expect(text(document.querySelector("[role=alert]"))).toContain("401: the key is not known there.");
  });

  it("is forgotten with its key after a question, and stands in Privacy until then", async () => {
    const w = await open("night", "#/settings/privacy", (fake) => {
      const server = { url: "https://llm.acme.example/v1", model: "m", has_key: true, chosen: true, local: false };
      fake.assistant.page = { ...fake.assistant.page, server };
      fake.assistant.stand({ name: "m", server: server.url, phase: "ready" });
    });
    expect(w.text()).toContain("https://llm.acme.example/v1 the inference server you chose");
    location.hash = HERE;
    window.dispatchEvent(new HashChangeEvent("hashchange"));
    await settle();
    w.button("Forget…").click();
    await settle();
    expect(text(document.querySelector("dialog"))).toContain("and its key in the keychain are deleted");
    await confirm();
    expect(w.backend.assistant.page.server).toBeNull();
    expect(document.querySelector("input[type=url]")).toBeNull();
    expect(footer()).toBe("Model:Rules only");
  });
});

it.each([
  ["http://localhost:8080/v1", { local: true, open: false }],
  ["http://127.8.0.1/v1", { local: true, open: false }],
  ["http://[::1]:8080/v1", { local: true, open: false }],
  ["http://127.0.0.1.evil.example/v1", { local: false, open: true }],
  ["https://localhost.evil.example/v1", { local: false, open: false }],
  ["http://192.168.1.4/v1", { local: false, open: true }],
  ["file:///etc/passwd", null],
  ["localhost:8080", null],
  ["", null],
])("the way to %s: %o", (url, way) => expect(wayTo(url)).toEqual(way));

it("sizes name the unit once where it is the same", () => {
  expect([sizes(1.1e9, 1.8e9), sizes(2e6, 1.8e9)]).toEqual(["1.1 of 1.8 GB", "2.0 MB of 1.8 GB"]);
});

it("what does not fit is told from what does not fit now", () => {
  const page = { memory_bytes: 16e9, memory_free_bytes: 9e9 };
  expect(tooLarge(17e9, page)).toBe("needs 17.0 GB of memory, this laptop has 16.0 GB");
  expect(tooLarge(10e9, page)).toBe("needs 10.0 GB of memory, 9.0 GB are free now");
  expect(tooLarge(9e9, page)).toBeNull();
});
