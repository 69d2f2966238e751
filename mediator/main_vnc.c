/* gtmux-vnc, which gtmux vnc runs: a guest's screen for VNC clients. A program of its own, because the libraries that
 * it needs have no business in the others. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "display/vnc.h"
#include "mediator/command.h"
#include "mediator/command_view.h"
#include "mediator/vnc_access.h"

#define PORT_DEFAULT 5900u

enum { OPT_UNIX = 256, OPT_LISTEN, OPT_FPS, OPT_CERT, OPT_KEY, OPT_PASSWORD, OPT_INSECURE, OPT_KEYMAP };

struct vnc_command {
    struct view_common view;
    char address[256];
    const char *password_file, *keymap;
    bool insecure;
    struct vnc_access access;
    struct vnc_options opt;
};

static const struct argp_option option_rows[] = {
    {"listen", OPT_LISTEN, "ADDRESS[:PORT]", 0, "Where to listen (default 127.0.0.1:5900)", 0},
    {"unix", OPT_UNIX, "PATH", 0, "Listen on this unix socket instead", 0},
    {"fps", OPT_FPS, "N", 0, "Pictures a second, at most (default 30)", 0},
    {"tls-cert", OPT_CERT, "FILE", 0, "Certificate (PEM): clients have to use TLS and a password", 0},
    {"tls-key", OPT_KEY, "FILE", 0, "Its private key", 0},
    {"password-file", OPT_PASSWORD, "FILE", 0, "USER:PASSWORD that clients have to give; nobody else may read it", 0},
    {"insecure", OPT_INSECURE, NULL, 0, "Listen where other machines can connect, without TLS and password", 0},
    {"keymap", OPT_KEYMAP, "LAYOUT", 0, "Keyboard layout of the guest, for clients that send letters (default us)", 0},
    {0},
};

/* ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT; without brackets, more colons than one are part of an IPv6 address. */
static void take_address(struct argp_state *state, struct vnc_command *c, const char *text)
{
    const bool brackets = text[0] == '[';
    const char *start = text + brackets, *end = brackets ? strchr(text, ']') : strchr(text, ':');
    const char *port = end ? end + brackets : NULL;

    if (!brackets && end && strchr(end + 1, ':'))
        end = port = NULL;
    const size_t n = end ? (size_t)(end - start) : strlen(start);

    if (!n || n >= sizeof(c->address) || (brackets && !end) || (port && *port && *port != ':')) {
        argp_error(state, "--listen=%s: give ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT", text);
        return;
    }
    memcpy(c->address, start, n);
    c->address[n] = 0;
    if (port && *port)
        c->opt.port = (uint16_t)view_number(state, "--listen: port ", port + 1, 1, UINT16_MAX);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct vnc_command *c = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = state->child_inputs[1] = &c->view;
        return 0;
    case OPT_LISTEN:
        take_address(state, c, arg);
        return 0;
    case OPT_UNIX:
        c->opt.unix_path = arg;
        return 0;
    case OPT_FPS:
        c->opt.fps = view_number(state, "--fps=", arg, 1, VIEW_FPS_MAX);
        return 0;
    case OPT_CERT:
        c->opt.tls_cert = arg;
        return 0;
    case OPT_KEY:
        c->opt.tls_key = arg;
        return 0;
    case OPT_PASSWORD:
        c->password_file = arg;
        return 0;
    case OPT_INSECURE:
        c->insecure = true;
        return 0;
    case OPT_KEYMAP:
        c->keymap = arg;
        return 0;
    case ARGP_KEY_END:
        /* neatvnc knows passwords only together with TLS. */
        if ((c->opt.tls_cert || c->opt.tls_key || c->password_file) &&
            !(c->opt.tls_cert && c->opt.tls_key && c->password_file))
            argp_error(state, "--tls-cert, --tls-key and --password-file belong together");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&view_argp, 0, NULL, 0}, {&view_input_argp, 0, NULL, 0}, {0}};
static const struct argp parser = {
    .options = option_rows,
    .parser = parse_option,
    .args_doc = "NAME",
    .doc =
        "Serves a guest's screen to VNC clients until SIGINT, SIGTERM or the guest's end. "
        "Without --tls-cert, --tls-key and --password-file it listens on this machine only: let ssh carry it further.",
    .children = children,
};

static void print_stats(const struct sink *s)
{
    struct vnc_stats st;

    vnc_get_stats(s, &st);
    printf("%llu pictures, %llu bytes copied, %llu looks for changes\n", (unsigned long long)st.pictures,
           (unsigned long long)st.bytes_copied, (unsigned long long)st.scans);
}

/* Reads the password, or makes sure that none is needed. 0, or the exit code after a message. */
static int check_access(struct vnc_command *c)
{
    char err[512];

    if (c->password_file) {
        if (!vnc_access_check_key(c->opt.tls_key, err, sizeof(err)) &&
            !vnc_access_read(&c->access, c->password_file, err, sizeof(err))) {
            c->opt.allows = vnc_access_allows;
            c->opt.allows_ctx = &c->access;
            return 0;
        }
        fprintf(stderr, "gtmux: %s\n", err);
        return EXIT_USAGE;
    }
    if (c->opt.unix_path || c->insecure || vnc_access_is_local(c->address))
        return 0;
    fprintf(stderr,
            "gtmux: --listen=%s is reached by other machines: give --tls-cert, --tls-key and --password-file, or "
            "--insecure\n",
            c->address);
    return EXIT_USAGE;
}

static int open_sink(void *command, struct sink **out, char *err, size_t errsz)
{
    struct vnc_command *c = command;

    c->opt.address = c->address;
    c->opt.title = c->view.name;
    c->opt.keymap = c->view.input ? c->keymap : NULL;
    return vnc_open(out, &c->opt, &view_events, &c->view, err, errsz);
}

int main(int argc, char **argv)
{
    static const struct view_kind kind = {.early = true, .open = open_sink, .print_stats = print_stats};
    struct vnc_command c = {
        .address = "127.0.0.1", .keymap = "us", .opt = {.port = PORT_DEFAULT, .fps = VIEW_FPS_DEFAULT}};
    int code = view_begin(&c.view, &parser, argc, argv, &c);

    if (!code && !(code = check_access(&c)) && !(code = view_begin_input(&c.view)))
        code = view_serve(&c.view, &kind, &c);
    view_end(&c.view);
    explicit_bzero(&c.access, sizeof(c.access));
    return code;
}
