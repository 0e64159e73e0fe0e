import { absolutePath, described } from "../../config/option.js";

/** Who may do what. */
export const policyOptions = {
  policy: described(absolutePath.optional(), {
    description:
      "the file that says who may do what, read again when it changes (default: root is admin, others on the unix socket are operators)",
    value: "FILE",
  }),
} as const;
