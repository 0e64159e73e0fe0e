declare module "@latscope/addon";
