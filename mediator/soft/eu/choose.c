/* Which function executes an op. */
#include "mediator/soft/eu/op.h"

eu_exec eu_choose(const struct eu_op *op)
{
    (void)op;
    return eu_exec_any;
}
