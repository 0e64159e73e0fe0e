import { absolutePath, described } from "../config/option.js";

/** Sessions that are there without a client. */
export const declaredOptions = {
  sessionDir: described(absolutePath.optional(), {
    description: "a folder of sessions as files, NAME.yaml or NAME.json, that run as long as their file is there",
    value: "PATH",
  }),
  stateDir: described(absolutePath.optional(), {
    description: "a folder to remember running sessions in, so that they come back when the service starts again",
    value: "PATH",
  }),
};
