import { createRequire } from "node:module";

/** Native addons are loaded by `require` alone. */
export const {
  Capture,
  Collector,
  HistogramReaderHandle,
  ReaderHandle,
  SessionHandle,
  dropPrivileges,
  giveMemoryBack,
  notifySupervisor,
  peerOf,
  sendToJournal,
} = createRequire(import.meta.url)("./latscope.node");
