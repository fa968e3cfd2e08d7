/* bus_tls.c - keeps the loop from waiting inside of OpenSSL.
 *
 * With TLS libnats reads and writes whole records, and where the socket has not all of one, or has
 * no room for it, libnats waits: on our loop, and in writing with its lock held. So the loop asks
 * the kernel first. A record that has not come whole is left there, and the kernel is told to wake
 * us when it has (SO_RCVLOWAT). OpenSSL reads no further than one record, so that nothing ever
 * lies in its own buffer that the socket does not tell of. */
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "bus_internal.h"

enum {
    HEAD_BYTES = 5,                   /* type, version, length: RFC 8446, 5.1 */
    RECORD_BYTES_MAX = 16384 + 256,   /* more is an error, which OpenSSL tells */
    BUFFER_BYTES = 256 * 1024,        /* the kernel doubles it, for its own book-keeping */
    UNACKNOWLEDGED_MAX_MS = 30 * 1000 /* then the kernel gives the connection up */
};

static void set(int fd, int level, int name, int value) {
    /* Where it cannot be set the standard holds, which is slower at worst. */
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

void tv_bus_tls_init(struct tv_bus_tls *t, int fd) {
    *t = (struct tv_bus_tls){.fd = fd, .wake_bytes = 1};
    set(fd, SOL_SOCKET, SO_SNDBUF, BUFFER_BYTES);
    /* A piece that was read in part counts whole, up to 128 kB: a record must come besides. */
    set(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_BYTES);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MAX_MS);
}

static void wake_at(struct tv_bus_tls *t, int bytes) {
    if (t->wake_bytes != bytes)
        set(t->fd, SOL_SOCKET, SO_RCVLOWAT, bytes);
    t->wake_bytes = bytes;
}

bool tv_bus_tls_may_read(struct tv_bus_tls *t) {
    /* One call tells the length and how much has come. */
    unsigned char record[HEAD_BYTES + RECORD_BYTES_MAX];
    ssize_t n = recv(t->fd, record, sizeof(record), MSG_PEEK | MSG_DONTWAIT);
    ssize_t wanted = HEAD_BYTES;

    t->more = false;
    if (n < 0)
        return errno != EAGAIN && errno != EINTR;
    if (n == 0)
        return true; /* the end, which libnats must see */
    if (n >= HEAD_BYTES)
        wanted += record[3] << 8 | record[4];
    if (wanted > (ssize_t)sizeof(record))
        return true;
    bool whole = n > HEAD_BYTES && n >= wanted;
    /* We were woken all the same: it is the end, or the kernel has no memory for more, and the rest
     * comes as soon as this is taken. */
    bool urged = !whole && t->wake_bytes == wanted;
    wake_at(t, whole || urged ? 1 : (int)wanted);
    t->more = whole && n > wanted;
    return whole || urged;
}

bool tv_bus_tls_may_write(const struct tv_bus_tls *t, size_t bytes) {
    uint32_t memory[SK_MEMINFO_VARS];
    socklen_t len = sizeof(memory);

    if (getsockopt(t->fd, SOL_SOCKET, SO_MEMINFO, memory, &len) != 0)
        return true;
    size_t limit = memory[SK_MEMINFO_SNDBUF], used = memory[SK_MEMINFO_WMEM_QUEUED];
    /* Twice, for what the kernel and TLS add. More than ever fits goes when the way is free. */
    return used + 2 * bytes + RECORD_BYTES_MAX <= limit || used <= limit / 8;
}
