// libopenjp2 on memory streams.
#ifndef MADOGUCHI_JP2_CODEC_H
#define MADOGUCHI_JP2_CODEC_H
#include <stddef.h>
#include <stdint.h>

// mg_decode decodes a JP2 picture that must have exactly w x h samples in comps components of 8 bits; out receives
// comps planes. 0, or -1.
int mg_decode(const uint8_t *in, size_t len, int w, int h, int comps, uint8_t *out);

// mg_encode writes a grey JP2 picture and returns its length, or -1.
long mg_encode(const uint8_t *pix, int w, int h, float ratio, uint8_t *out, size_t cap);

#endif
