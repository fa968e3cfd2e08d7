#include "services/gateway/router.h"

#include <stdio.h>
#include <stdlib.h>

#define METHODS_MAX 6
#define DEPTH_MAX 12

struct node {
    struct tv_str segment;  /* literal; of a parameter node: its name */
    struct node *literals;  /* children, a list */
    struct node *parameter; /* child that takes any segment; NULL: none */
    struct node *next;      /* sibling */
    const struct tv_route *routes[METHODS_MAX];
    unsigned route_count;
};

struct tv_router {
    struct node root;
};

static struct node *find_literal(const struct node *n, struct tv_str segment) {
    for (struct node *c = n->literals; c != NULL; c = c->next)
        if (tv_str_eq(c->segment, segment))
            return c;
    return NULL;
}

static struct node *add_child(struct node *n, struct tv_str segment) {
    bool is_parameter = segment.len > 2 && segment.p[0] == '{';
    struct node *c = is_parameter ? n->parameter : find_literal(n, segment);
    if (c != NULL)
        return c;
    c = tv_calloc(1, sizeof *c);
    c->segment = segment;
    if (is_parameter) {
        n->parameter = c;
    } else {
        c->next = n->literals;
        n->literals = c;
    }
    return c;
}

static void add_route(struct tv_router *r, const struct tv_route *route) {
    struct tv_str rest = tv_str(route->path);
    (void)tv_str_cut(&rest, '/'); /* what stands before the first slash: nothing */
    struct node *n = &r->root;
    while (rest.p != NULL)
        n = add_child(n, tv_str_cut(&rest, '/'));
    for (unsigned i = 0; i < n->route_count; i++)
        if (strcmp(n->routes[i]->method, route->method) == 0)
            tv_panic("route %s %s stands twice", route->method, route->path);
    if (n->route_count == METHODS_MAX)
        tv_panic("too many methods for %s", route->path);
    n->routes[n->route_count++] = route;
}

struct tv_router *tv_router_new(const struct tv_route *routes, size_t count) {
    struct tv_router *r = tv_calloc(1, sizeof *r);
    for (size_t i = 0; i < count; i++)
        add_route(r, &routes[i]);
    return r;
}

static void free_children(struct node *n) {
    for (struct node *c = n->literals, *next; c != NULL; c = next) {
        next = c->next;
        free_children(c);
        free(c);
    }
    if (n->parameter != NULL) {
        free_children(n->parameter);
        free(n->parameter);
    }
}

void tv_router_free(struct tv_router *r) {
    if (r == NULL)
        return;
    free_children(&r->root);
    free(r);
}

static bool method_fits(const char *offered, struct tv_str asked) {
    return tv_str_eqz(asked, offered) ||
           (tv_str_eq(asked, TV_S("HEAD")) && strcmp(offered, "GET") == 0);
}

static void list_methods(const struct node *n, char *out, size_t size) {
    size_t len = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < n->route_count && len < size; i++) {
        const char *method = n->routes[i]->method;
        len += (size_t)snprintf(out + len, size - len, "%s%s%s", i > 0 ? ", " : "", method,
                                strcmp(method, "GET") == 0 ? ", HEAD" : "");
    }
}

struct router_match tv_router_match(const struct tv_router *r, struct tv_str method,
                                    struct tv_str path) {
    struct router_match match = {.verdict = ROUTER_NO_PATH};
    if (path.len == 0 || path.p[0] != '/')
        return match;
    struct tv_str rest = {path.p + 1, path.len - 1};
    const struct node *n = &r->root;
    unsigned values = 0;
    for (unsigned depth = 0; rest.p != NULL; depth++) {
        struct tv_str segment = tv_str_cut(&rest, '/');
        const struct node *child = find_literal(n, segment);
        if (child == NULL && segment.len > 0 && n->parameter != NULL &&
            values < TV_ROUTE_PARAMS_MAX) {
            child = n->parameter;
            match.values[values++] = segment;
        }
        if (child == NULL || depth == DEPTH_MAX)
            return match;
        n = child;
    }
    if (n->route_count == 0)
        return match;
    for (unsigned i = 0; i < n->route_count; i++) {
        if (method_fits(n->routes[i]->method, method)) {
            match.verdict = ROUTER_FOUND;
            match.route = n->routes[i];
            return match;
        }
    }
    match.verdict = ROUTER_NO_METHOD;
    list_methods(n, match.allow, sizeof match.allow);
    return match;
}
