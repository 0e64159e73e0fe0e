// A program with two USDT probes, as sys/sdt.h writes them, that are switched on by semaphores. It waits for a byte, and prints
// how often it found them on.
#include <stdio.h>
#include <unistd.h>

__attribute__((section(".probes"))) volatile unsigned short latscope_begin_semaphore;
__attribute__((section(".probes"))) volatile unsigned short latscope_end_semaphore;

#define PROBE(name)                                                                                                   \
  __asm__ volatile("990: nop\n"                                                                                       \
                   ".pushsection .note.stapsdt,\"\",\"note\"\n"                                                       \
                   ".balign 4\n.4byte 992f-991f, 994f-993f, 3\n991: .asciz \"stapsdt\"\n"                             \
                   "992: .balign 4\n993: .8byte 990b, _.stapsdt.base, latscope_" #name "_semaphore\n"                 \
                   ".asciz \"latscope\"\n.asciz \"" #name "\"\n.asciz \"\"\n994: .balign 4\n.popsection\n"            \
                   ".ifndef _.stapsdt.base\n"                                                                         \
                   ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"                            \
                   ".weak _.stapsdt.base\n.hidden _.stapsdt.base\n_.stapsdt.base: .space 1\n"                         \
                   ".size _.stapsdt.base, 1\n.popsection\n.endif\n")

int main(void) {
  int on = 0;
  char byte;
  if (read(0, &byte, 1) != 1) return 1;
  for (int n = 0; n < 5; n++) {
    if (latscope_begin_semaphore && latscope_end_semaphore) {
      on++;
      PROBE(begin);
      usleep(10000);
      PROBE(end);
    }
  }
  printf("%d\n", on);
  return 0;
}
