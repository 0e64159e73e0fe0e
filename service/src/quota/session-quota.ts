/** What the sessions of one principal may take together. */
export interface SessionQuota {
  /** @param own how many it has already @throws Failure SESSION_QUOTA */
  checkCount(own: number): void;
  /** Whether it is worth while to find out how much they use. */
  readonly limitsKernelMemory: boolean;
  /** @param used bytes of the maps that its sessions use, each map once @throws Failure KERNEL_MEMORY_QUOTA */
  checkKernelMemory(used: number): void;
}
