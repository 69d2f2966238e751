#include "mediator/soft/sampler_axis.h"

void sampler_axis(const float *coordinate, const uint32_t *size, const int32_t *offset, unsigned lanes, unsigned mode,
                  bool linear, bool unnormalized, struct sampler_axis *a)
{
    axis_body(coordinate, size, offset, lanes, mode, linear, unnormalized, a);
}

int32_t sampler_layer(float r, uint32_t layers)
{
    return axis_layer(r, layers);
}
