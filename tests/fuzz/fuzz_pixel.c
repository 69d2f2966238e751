/*
 * The pixel half of the 3D pipe: the input is state commands, heaps and primitives. What comes out are pixels or
 * nothing; the guest's memory and the engine must be all that is touched, and every draw ends soon after the engine is
 * wanted.
 *
 * Input, record by record: a byte says what follows. 0..63: a state command, its dwords; 64..127: 16 bytes somewhere in
 * the heaps; others: a primitive, drawn at once.
 */
#include <stdlib.h>
#include <string.h>

/* The fixtures are those of unit tests; here a broken one ends the program. */
#define assert_non_null(p)     ((p) ? (void)0 : abort())
#define assert_int_equal(a, b) ((a) == (b) ? (void)0 : abort())
#include "tests/unit/pixel_engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int commands[] = {
    C_3DSTATE_PS,
    C_3DSTATE_PS_EXTRA,
    C_3DSTATE_WM,
    C_3DSTATE_RASTER,
    C_3DSTATE_SF,
    C_3DSTATE_CLIP,
    C_3DSTATE_SBE,
    C_3DSTATE_SBE_SWIZ,
    C_3DSTATE_MULTISAMPLE,
    C_3DSTATE_SAMPLE_MASK,
    C_3DSTATE_SAMPLE_PATTERN,
    C_3DSTATE_DEPTH_BUFFER,
    C_3DSTATE_STENCIL_BUFFER,
    C_3DSTATE_CLEAR_PARAMS,
    C_3DSTATE_WM_DEPTH_STENCIL,
    C_3DSTATE_DRAWING_RECTANGLE,
    C_3DSTATE_CONSTANT_PS,
    C_3DSTATE_LINE_STIPPLE,
    C_3DSTATE_PS_BLEND,
    C_3DSTATE_BLEND_STATE_POINTERS,
    C_3DSTATE_SCISSOR_STATE_POINTERS,
    C_3DSTATE_VIEWPORT_STATE_POINTERS_SF_CLIP,
    C_3DSTATE_VF_TOPOLOGY,
};

struct input {
    const uint8_t *data;
    size_t left;
};

static void take(struct input *in, void *out, size_t n)
{
    size_t have = n < in->left ? n : in->left;

    memset(out, 0, n);
    memcpy(out, in->data, have);
    in->data += have;
    in->left -= have;
}

static void give_command(struct pixel_engine *p, struct input *in, unsigned which)
{
    int id = commands[which % (sizeof(commands) / sizeof(commands[0]))];
    unsigned n = cmd_table[id].min_len ? cmd_table[id].min_len : 2;
    uint32_t dw[16] = {0};

    n = n < 16 ? n : 16;
    take(in, dw + 1, 4 * (n - 1));
    dw[0] = cmd_table[id].op | (n - 2);
    soft_state_set(&p->state, &p->e.stamps, id, dw, n);
}

static void draw(struct pixel_engine *p, struct input *in, unsigned kind)
{
    struct engine_vertex v[3];
    uint32_t dw[5];

    take(in, v, sizeof(v));
    for (unsigned i = 0; i < 3 && kind & 8; i++) { /* near the target */
        uint32_t bits[2];

        memcpy(bits, v[i].position, sizeof(bits));
        v[i].position[0] = (float)(bits[0] % 200u);
        v[i].position[1] = (float)(bits[1] % 200u);
    }
    if (kind % 5 == 4) {
        take(in, dw, sizeof(dw));
        engine_next(p);
        soft_raster_hz_op(p->e.raster, dw);
        return;
    }
    engine_draw(p, (enum soft_prim_kind)(kind % 5 + 1), v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pixel_engine p;
    static bool made;
    struct input in = {data, size < 4096 ? size : 4096};

    if (!made) {
        fixture_start();
        engine_start(&p, 1);
        made = true;
    }
    memset(fixture_ram, 0, sizeof(fixture_ram));
    memset(&p.state, 0, sizeof(p.state));
    engine_plain_state(&p);
    engine_target((struct fixture_surface){SOFT_FORMAT_R8G8B8A8_UNORM, 3, 128, 128, 512, 0, 0});
    engine_shader(&p, "fs16-85310ce56fa0", 6, 1);
    fixture_exec.stops = 0;
    fixture_exec.stop_after = 5000; /* as when the engine is reset: the largest pictures are given up */
    for (unsigned draws = 0; in.left && draws < 4;) {
        uint8_t what, at[2];

        take(&in, &what, 1);
        if (what < 64) {
            give_command(&p, &in, what);
        } else if (what < 128) {
            take(&in, at, 2);
            take(&in, engine_heap((at[0] | (uint32_t)at[1] << 8) % 0xff0u), 16);
        } else {
            draw(&p, &in, what);
            draws++;
        }
    }
    return 0;
}
