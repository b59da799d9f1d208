/* failpoint.h -- stands in base/ now; this leads there whoever still asks for it here. */
#ifndef KINDS_FAILPOINT_H
#define KINDS_FAILPOINT_H

#include "base/failpoint.h"

#endif
