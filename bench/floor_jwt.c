/* floor_jwt - what one HS256 token costs with libjwt: LiveKit's claims, a new object each.
 *
 *   floor_jwt SECONDS      prints one JSON object: tokens and the CPU time
 */
#include <jwt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static double cpu_us(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void sign(long n) {
    static const unsigned char key[] = "a key of thirty-two bytes, or so.";
    jwt_t *jwt = NULL;
    if (jwt_new(&jwt) != 0 || jwt_set_alg(jwt, JWT_ALG_HS256, key, 32) != 0 ||
        jwt_add_grant(jwt, "iss", "devkey") != 0 ||
        jwt_add_grant(jwt, "sub", "0b0e7a3c-1c1d-4f6e-9a7b-2f1f0a9d8c7b") != 0 ||
        jwt_add_grant_int(jwt, "nbf", n) != 0 || jwt_add_grant_int(jwt, "exp", n + 600) != 0 ||
        jwt_add_grants_json(jwt,
                            "{\"video\":{\"roomJoin\":true,\"room\":"
                            "\"room_0b0e7a3c-1c1d-4f6e-9a7b-2f1f0a9d8c7b\",\"canPublish\":true,"
                            "\"canSubscribe\":true,\"canPublishData\":true}}") != 0)
        exit(2);
    char *text = jwt_encode_str(jwt);
    if (text == NULL)
        exit(2);
    free(text);
    jwt_free(jwt);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: floor_jwt SECONDS\n");
        return 2;
    }
    long tokens = 0;
    double before = cpu_us();
    for (time_t end = time(NULL) + strtol(argv[1], NULL, 10); time(NULL) < end; tokens++)
        sign(1795000000 + tokens);
    printf("{\"tokens\":%ld,\"cpu_us\":%.0f}\n", tokens, cpu_us() - before);
    return 0;
}
