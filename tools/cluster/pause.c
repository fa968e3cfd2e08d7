// Does nothing, well. It is the first process of a pod's sandbox (the image televisit/pause) and of
// each node: it holds their namespaces and reaps what is orphaned in them. When it ends, the kernel
// ends all that lives there.
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>

int main(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) {
        return 1;
    }
    for (;;) {
        int signo;
        if (sigwait(&signals, &signo) != 0 || signo != SIGCHLD) {
            return 0;
        }
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
    }
}
