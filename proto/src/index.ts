/** The messages and services of latscope.v1. */
export * from "../gen/latscope/v1/histogram.js";
export * from "../gen/latscope/v1/loss.js";
export * from "../gen/latscope/v1/node.js";
export * from "../gen/latscope/v1/probe.js";
export * from "../gen/latscope/v1/sample.js";
export * from "../gen/latscope/v1/session.js";
