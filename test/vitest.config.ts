import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts"],
    globalSetup: ["src/harness/setup.ts"],
    // A story starts namespaces, helpers and the whole service, on machines of two cores.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Stories bound how late a sample may be; side by side they would only measure one another.
    fileParallelism: false,
  },
});
