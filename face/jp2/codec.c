#include "codec.h"

#include <openjpeg.h>
#include <string.h>

// A memory stream; for reading, cap is the length of the data.
typedef struct {
  uint8_t *data;
  size_t len, cap, at;
} memory;

static OPJ_SIZE_T mem_read(void *to, OPJ_SIZE_T n, void *user) {
  memory *m = user;
  if (m->at >= m->len) {
    return (OPJ_SIZE_T)-1;
  }
  if (n > m->len - m->at) {
    n = m->len - m->at;
  }
  memcpy(to, m->data + m->at, n);
  m->at += n;
  return n;
}

static OPJ_SIZE_T mem_write(void *from, OPJ_SIZE_T n, void *user) {
  memory *m = user;
  if (m->at > m->cap || n > m->cap - m->at) {
    return (OPJ_SIZE_T)-1;
  }
  memcpy(m->data + m->at, from, n);
  m->at += n;
  if (m->at > m->len) {
    m->len = m->at;
  }
  return n;
}

static OPJ_OFF_T mem_skip(OPJ_OFF_T n, void *user) {
  memory *m = user;
  if (n < 0 || (size_t)n > m->cap - m->at) {
    return -1;
  }
  m->at += (size_t)n;
  return n;
}

static OPJ_BOOL mem_seek(OPJ_OFF_T n, void *user) {
  memory *m = user;
  if (n < 0 || (size_t)n > m->cap) {
    return OPJ_FALSE;
  }
  m->at = (size_t)n;
  return OPJ_TRUE;
}

static opj_stream_t *stream(memory *m, OPJ_BOOL reading) {
  opj_stream_t *s = opj_stream_default_create(reading);
  if (s != NULL) {
    opj_stream_set_user_data(s, m, NULL);
    opj_stream_set_user_data_length(s, m->len);
    opj_stream_set_read_function(s, mem_read);
    opj_stream_set_write_function(s, mem_write);
    opj_stream_set_skip_function(s, mem_skip);
    opj_stream_set_seek_function(s, mem_seek);
  }
  return s;
}

// planes copies the samples after checking that the library decoded what the header promised.
static int planes(const opj_image_t *img, int w, int h, int comps, uint8_t *out) {
  if ((int)img->numcomps != comps) {
    return -1;
  }
  for (int c = 0; c < comps; c++) {
    const opj_image_comp_t *k = &img->comps[c];
    if ((int)k->w != w || (int)k->h != h || k->prec != 8 || k->sgnd || k->data == NULL) {
      return -1;
    }
    for (size_t i = 0; i < (size_t)w * (size_t)h; i++) {
      OPJ_INT32 v = k->data[i];
      *out++ = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
  }
  return 0;
}

int mg_decode(const uint8_t *in, size_t len, int w, int h, int comps, uint8_t *out) {
  memory m = {(uint8_t *)in, len, len, 0};
  opj_dparameters_t params;
  opj_image_t *img = NULL;
  int rc = -1;
  opj_stream_t *s = stream(&m, OPJ_TRUE);
  opj_codec_t *codec = opj_create_decompress(OPJ_CODEC_JP2);
  opj_set_default_decoder_parameters(&params);
  if (s != NULL && codec != NULL && opj_setup_decoder(codec, &params) && opj_decoder_set_strict_mode(codec, OPJ_TRUE) &&
      opj_read_header(s, codec, &img) && img != NULL && img->x0 == 0 && img->y0 == 0 && img->x1 == (OPJ_UINT32)w &&
      img->y1 == (OPJ_UINT32)h && opj_decode(codec, s, img) && opj_end_decompress(codec, s)) {
    rc = planes(img, w, h, comps, out);
  }
  opj_image_destroy(img);
  opj_destroy_codec(codec);
  if (s != NULL) {
    opj_stream_destroy(s);
  }
  return rc;
}

static opj_image_t *grey(const uint8_t *pix, int w, int h) {
  opj_image_cmptparm_t p;
  memset(&p, 0, sizeof p);
  p.dx = p.dy = 1;
  p.w = (OPJ_UINT32)w;
  p.h = (OPJ_UINT32)h;
  p.prec = 8;
  opj_image_t *img = opj_image_create(1, &p, OPJ_CLRSPC_GRAY);
  if (img != NULL) {
    img->x1 = (OPJ_UINT32)w;
    img->y1 = (OPJ_UINT32)h;
    for (size_t i = 0; i < (size_t)w * (size_t)h; i++) {
      img->comps[0].data[i] = pix[i];
    }
  }
  return img;
}

long mg_encode(const uint8_t *pix, int w, int h, float ratio, uint8_t *out, size_t cap) {
  memory m = {out, 0, cap, 0};
  opj_cparameters_t params;
  long n = -1;
  opj_image_t *img = grey(pix, w, h);
  opj_stream_t *s = stream(&m, OPJ_FALSE);
  opj_codec_t *codec = opj_create_compress(OPJ_CODEC_JP2);
  opj_set_default_encoder_parameters(&params);
  params.tcp_numlayers = 1;
  params.tcp_rates[0] = ratio;
  params.cp_disto_alloc = 1;
  params.irreversible = 1;
  if (img != NULL && s != NULL && codec != NULL && opj_setup_encoder(codec, &params, img) && opj_start_compress(codec, img, s) &&
      opj_encode(codec, s) && opj_end_compress(codec, s)) {
    n = (long)m.len;
  }
  opj_image_destroy(img);
  opj_destroy_codec(codec);
  if (s != NULL) {
    opj_stream_destroy(s);
  }
  return n;
}
