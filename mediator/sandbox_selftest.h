/* Shows that the sandbox holds on this host: tries in it what must fail and what must work. */
#ifndef GTMUX_MEDIATOR_SANDBOX_SELFTEST_H
#define GTMUX_MEDIATOR_SANDBOX_SELFTEST_H

/*
 * One child process a trial. Prints a line for each, "ok NAME", "FAIL NAME: WHY" or "skip NAME: WHY", and a last one,
 * "N passed, N failed, N skipped". Returns the exit code: 0, or 1 when something failed. The caller has one thread.
 *
 * With a domid (an HVM guest that runs; -1: none) tries also that no other domain can be reached, in a domain that may
 * reach all: run it in the one where gtmux-dm runs, as root.
 */
int sandbox_selftest(int domid);

#endif
