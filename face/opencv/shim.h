// The C face of the three networks: no C++ type and no exception crosses it.
#ifndef MADOGUCHI_FACE_SHIM_H
#define MADOGUCHI_FACE_SHIM_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mg_engine mg_engine;

// One weight file in memory.
typedef struct {
  const uint8_t *data;
  size_t len;
} mg_blob;

// All functions return 0, or -1 with a zero-terminated text in err (cap bytes).

// mg_open loads detector, recogniser and the two anti-spoofing nets. The blobs are copied by OpenCV.
int mg_open(mg_blob detector, mg_blob recogniser, mg_blob spoof27, mg_blob spoof40, mg_engine **out, char *err, size_t cap);
void mg_close(mg_engine *e);

// mg_detect runs the detector on w x h BGR pixels after scaling them to sw x sh and padding right and bottom to
// multiples of 32 (pw x ph). out receives, per stride 8, 16, 32 with n = (pw/s)*(ph/s): cls n, obj n, bbox 4n, kps 10n.
int mg_detect(mg_engine *e, const uint8_t *bgr, int w, int h, int sw, int sh, int pw, int ph, float *out, size_t n, char *err, size_t cap);

// mg_template warps the picture by the 2x3 matrix m (source to 128x128) and computes 256 features.
int mg_template(mg_engine *e, const uint8_t *bgr, int w, int h, const double *m, float *out, char *err, size_t cap);

// mg_spoof crops x0..x1, y0..y1 (inclusive) for net 0 (scale 2.7) or 1 (scale 4.0) and gives its 3 probabilities.
int mg_spoof(mg_engine *e, int net, const uint8_t *bgr, int w, int h, int x0, int y0, int x1, int y1, float *out, char *err, size_t cap);

#ifdef __cplusplus
}
#endif
#endif
