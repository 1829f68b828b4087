// A few models as the made-up program has them. Sizes and figures are samples.
import type { CatalogueModelDto, ExamDto, InstalledModelDto } from "../types";
import { at } from "./time";

export const exam = (now: number | string): ExamDto => ({
  at: new Date(now).toISOString(),
  incidents: 24,
  valid: 24,
  statements: 212,
  tied: 187,
  caught: 19,
  right_first: 21,
  seconds: 380,
  tokens_per_second: 9.2,
  first_token_ms: 4100,
  verdict: "good",
  sentence: "Good enough to word causes and post-mortems, and to put the steps in order.",
});

export const installed = (): InstalledModelDto[] => [
  {
    id: "Qwen3-4B-Instruct-2507-Q4_K_M",
    name: "Qwen3-4B Instruct",
    architecture: "qwen3",
    licence: "Apache-2.0",
    size_bytes: 2_497_281_120,
    parameters: 4_022_468_096,
    context: 16_384,
    memory_bytes: 3_600_000_000,
    sha256: "3605803b982cb64aead44f6c1b2ae36e3acdb41d8e46c8a94c6533bc4c67e597",
    verified: true,
    chosen: true,
    exam: exam(at("08:41:00")),
  },
  {
    id: "house-tuned-7b-q5",
    name: "house-tuned-7b-q5",
    architecture: "llama",
    licence: null,
    size_bytes: 5_131_000_000,
    parameters: 7_241_732_096,
    context: 8192,
    memory_bytes: 9_800_000_000,
    sha256: "9f2c1d8a7b3e4f50617283940a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
    verified: false,
    chosen: false,
    exam: null,
  },
];

export const catalogue = (): CatalogueModelDto[] => {
  const model = (
    id: string,
    name: string,
    maker: string,
    licence: string,
    size_bytes: number,
    memory_bytes: number,
    about: string,
    more: Partial<CatalogueModelDto> = {},
  ): CatalogueModelDto => ({
    id,
    name,
    maker,
    licence,
    licence_url: null,
    file: `${id}.gguf`,
    size_bytes,
    parameters: /(\d+(?:\.\d+)?B)/.exec(name)?.[1] ?? "",
    context: 32_768,
    memory_bytes,
    fits: memory_bytes < 9_100_000_000,
    about,
    page: `https://huggingface.co/${maker}/${id}`,
    downloadable: true,
    installed: null,
    ...more,
  });
  return [
    model(
      "Qwen3-4B-Instruct-2507-Q4_K_M",
      "Qwen3-4B Instruct",
      "Qwen",
      "Apache-2.0",
      2_497_281_120,
      3_600_000_000,
      "For most laptops: words causes and post-mortems well.",
      { installed: "Qwen3-4B-Instruct-2507-Q4_K_M" },
    ),
    model(
      "Qwen3-1.7B-Q8_0",
      "Qwen3-1.7B",
      "Qwen",
      "Apache-2.0",
      1_834_426_016,
      2_600_000_000,
      "For small or busy laptops: quick, plain sentences.",
    ),
    model(
      "gemma-3-4b-it-Q4_0",
      "Gemma 3 4B",
      "google",
      "Gemma terms",
      2_400_000_000,
      3_500_000_000,
      "Another hand for the same work.",
      { downloadable: false, licence_url: "https://ai.google.dev/gemma/terms" },
    ),
    model(
      "Qwen3-14B-Q4_K_M",
      "Qwen3-14B",
      "Qwen",
      "Apache-2.0",
      9_001_752_960,
      10_800_000_000,
      "For workstations: the best wording here, and slow.",
    ),
  ];
};
