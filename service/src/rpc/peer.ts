/** Who makes a call. */
export interface Peer {
  /** As in Session.owner: `uid:1000`; empty where nobody can be told from another, which is on plaintext TCP. */
  owner: string;
}

/** How a connection to the unix socket names its peer: in place of the address that it does not have. */
export function unixPeer(uid: number): string {
  return `uid:${uid}`;
}

/** @param call any call of grpc-js */
export function peerOf(call: { getPeer(): string }): Peer {
  const peer = call.getPeer();
  return { owner: /^uid:\d+$/.test(peer) ? peer : "" };
}
