import { defineConfig } from "vitest/config";

/** The unit tests, which need no kernel; test/ has its own configuration. */
export default defineConfig({
  test: {
    include: ["{proto,service,clients/*}/src/**/*.test.ts", "kernel-rs/addon/**/*.test.ts"],
  },
});
