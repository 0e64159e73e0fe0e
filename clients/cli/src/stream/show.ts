import { SessionState, type StreamHistogramsResponse, type StreamSamplesResponse } from "@latscope/proto";
import { fromColumns } from "./columns.js";
import { nodeLine, sessionLine } from "./news.js";
import { fromRows } from "./rows.js";
import type { View } from "./view.js";

/** Shows one message of a stream of samples. */
export function showSamples(
  { event, session }: StreamSamplesResponse,
  view: View,
  inline: boolean,
  giveUp: AbortSignal,
): Promise<void> {
  switch (event?.$case) {
    case "start":
      return view.start(event.value, session, inline);
    case "rows":
      return view.samples(fromRows(event.value), giveUp);
    case "columns":
      return view.samples(fromColumns(event.value), giveUp);
    case "loss":
      return view.loss(event.value);
    default:
      return showNews(event, view);
  }
}

/** Shows what every stream tells beside what it is about. */
export async function showNews(
  event: (StreamSamplesResponse | StreamHistogramsResponse)["event"],
  view: { say: (line: string) => Promise<void> },
): Promise<void> {
  // That it stopped is what the end says, too, and says why.
  if (event?.$case === "sessionChange" && event.value.state !== SessionState.STOPPED)
    await view.say(sessionLine(event.value));
  if (event?.$case === "nodeStatus") await view.say(nodeLine(event.value));
}
