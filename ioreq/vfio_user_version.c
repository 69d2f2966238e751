/* The VERSION handshake: protocol version and capabilities, which are JSON text. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ioreq/vfio_user_internal.h"

#define MAX_JSON 4096u /* QEMU sends about 200 bytes */

/* An optional capability that is a number of 0..UINT32_MAX. 0 or -EINVAL. */
static int get_number(const cJSON *caps, const char *name, uint32_t *out)
{
    const cJSON *n = cJSON_GetObjectItemCaseSensitive(caps, name);

    if (!n)
        return 0;
    if (!cJSON_IsNumber(n) || !(n->valuedouble >= 0 && n->valuedouble <= UINT32_MAX))
        return -EINVAL;
    *out = (uint32_t)n->valuedouble;
    return 0;
}

static int parse_capabilities(struct vfio_user *s, const cJSON *root)
{
    uint32_t fds = 1, pgsizes = VU_PAGE_SIZE; /* the protocol's defaults */

    if (!cJSON_IsObject(root))
        return -EINVAL;
    const cJSON *caps = cJSON_GetObjectItemCaseSensitive(root, "capabilities");

    if (caps) {
        if (!cJSON_IsObject(caps))
            return -EINVAL;
        int ret = get_number(caps, "max_msg_fds", &fds);
        if (!ret)
            ret = get_number(caps, "pgsizes", &pgsizes);
        if (ret)
            return ret;
    }
    if (!(pgsizes & VU_PAGE_SIZE))
        return -EINVAL;
    s->client_fds = fds;
    return 0;
}

/* The text behind the version numbers, if any. 0 or -EINVAL. */
static int read_capabilities(struct vfio_user *s, const char *text, size_t len)
{
    s->client_fds = 1;
    if (!len)
        return 0;
    if (len > MAX_JSON || text[len - 1] != '\0')
        return -EINVAL;
    cJSON *root = cJSON_Parse(text);
    int ret = root ? parse_capabilities(s, root) : -EINVAL;

    cJSON_Delete(root);
    return ret;
}

int vu_version(struct vfio_user *s, struct vu_message *m)
{
    struct vu_version v;

    if (s->ready)
        return -EINVAL; /* once a connection */
    memcpy(&v, m->body, sizeof(v));
    if (v.major != VU_MAJOR)
        return -ENOTSUP;
    int ret = read_capabilities(s, (const char *)m->body + sizeof(v), m->len - sizeof(v));

    if (ret)
        return ret;
    if (v.minor > VU_MINOR)
        v.minor = VU_MINOR;
    memcpy(m->reply, &v, sizeof(v));
    int n = snprintf((char *)m->reply + sizeof(v), MAX_JSON,
                     "{\"capabilities\":{\"max_msg_fds\":%u,\"max_data_xfer_size\":%u,\"max_dma_maps\":%u,"
                     "\"pgsizes\":%u}}",
                     VU_MAX_MSG_FDS, VU_MAX_XFER, DMA_MAX_RANGES, VU_PAGE_SIZE);

    m->reply_len = sizeof(v) + (size_t)n + 1;
    s->ready = true;
    return 0;
}
