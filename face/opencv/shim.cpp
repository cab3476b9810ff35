#include "shim.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>
#include <opencv2/imgproc.hpp>

struct mg_engine {
  cv::dnn::Net detector, recogniser, spoof[2];
};

namespace {

int fail(char *err, size_t cap, const char *what) {
  if (cap > 0) {
    snprintf(err, cap, "%s", what);
  }
  return -1;
}

// quiet keeps OpenCV from printing to stderr: the text goes to the caller instead.
int quiet(int, const char *, const char *, const char *, int, void *) { return 0; }

cv::dnn::Net load(mg_blob b) {
  cv::dnn::Net net = cv::dnn::readNetFromONNX(reinterpret_cast<const char *>(b.data), b.len);
  net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
  net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
  return net;
}

cv::Mat view(const uint8_t *bgr, int w, int h) {
  return cv::Mat(h, w, CV_8UC3, const_cast<uint8_t *>(bgr));
}

// guarded runs f; an exception must never unwind through cgo, which would abort the process.
template <class F>
int guarded(char *err, size_t cap, F f) {
  try {
    f();
    return 0;
  } catch (const std::exception &x) {
    return fail(err, cap, x.what());
  } catch (...) {
    return fail(err, cap, "unknown exception");
  }
}

void copyOut(const cv::Mat &m, float *out, size_t n) {
  if (m.type() != CV_32F || m.total() != n || !m.isContinuous()) {
    throw std::runtime_error("a network gave an output of an unexpected shape");
  }
  memcpy(out, m.ptr<float>(), n * sizeof(float));
}

}  // namespace

int mg_open(mg_blob detector, mg_blob recogniser, mg_blob spoof27, mg_blob spoof40, mg_engine **out, char *err, size_t cap) {
  *out = nullptr;
  return guarded(err, cap, [&] {
    cv::redirectError(quiet);
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    cv::setNumThreads(1);
    std::unique_ptr<mg_engine> e(new mg_engine);
    e->detector = load(detector);
    e->recogniser = load(recogniser);
    e->spoof[0] = load(spoof27);
    e->spoof[1] = load(spoof40);
    *out = e.release();
  });
}

void mg_close(mg_engine *e) {
  try {
    delete e;
  } catch (...) {
  }
}

int mg_detect(mg_engine *e, const uint8_t *bgr, int w, int h, int sw, int sh, int pw, int ph, float *out, size_t n, char *err, size_t cap) {
  return guarded(err, cap, [&] {
    cv::Mat src = view(bgr, w, h), scaled = src, padded;
    if (sw != w || sh != h) {
      cv::resize(src, scaled, cv::Size(sw, sh), 0, 0, cv::INTER_AREA);
    }
    cv::copyMakeBorder(scaled, padded, 0, ph - sh, 0, pw - sw, cv::BORDER_CONSTANT, cv::Scalar());
    e->detector.setInput(cv::dnn::blobFromImage(padded), "input");
    const std::vector<cv::String> names = {"cls_8",  "obj_8",  "bbox_8",  "kps_8",  "cls_16",  "obj_16",
                                           "bbox_16", "kps_16", "cls_32", "obj_32", "bbox_32", "kps_32"};
    std::vector<cv::Mat> outs;
    e->detector.forward(outs, names);
    const size_t width[4] = {1, 1, 4, 10};
    size_t at = 0;
    for (size_t i = 0; i < outs.size(); i++) {
      const size_t s = size_t(8) << (i / 4);
      const size_t want = (size_t(pw) / s) * (size_t(ph) / s) * width[i % 4];
      if (at + want > n) {
        throw std::runtime_error("the output buffer is too small");
      }
      copyOut(outs[i], out + at, want);
      at += want;
    }
    padded.setTo(cv::Scalar());
  });
}

int mg_template(mg_engine *e, const uint8_t *bgr, int w, int h, const double *m, float *out, char *err, size_t cap) {
  return guarded(err, cap, [&] {
    cv::Mat src = view(bgr, w, h), warped;
    cv::Mat mat = (cv::Mat_<double>(2, 3) << m[0], m[1], m[2], m[3], m[4], m[5]);
    const double scale = std::hypot(m[0], m[3]);
    if (scale < 0.5) {  // a large face: shrink by area first, or bilinear sampling skips pixels
      cv::Mat small;
      const int sw = std::max(1, int(std::lround(w * scale * 2))), sh = std::max(1, int(std::lround(h * scale * 2)));
      cv::resize(src, small, cv::Size(sw, sh), 0, 0, cv::INTER_AREA);
      mat.col(0) *= double(w) / sw;
      mat.col(1) *= double(h) / sh;
      src = small;
    }
    cv::warpAffine(src, warped, mat, cv::Size(128, 128), cv::INTER_LINEAR, cv::BORDER_CONSTANT, cv::Scalar());
    e->recogniser.setInput(cv::dnn::blobFromImage(warped));
    cv::Mat y = e->recogniser.forward();
    copyOut(y, out, 256);
    y.setTo(cv::Scalar());
    warped.setTo(cv::Scalar());
  });
}

int mg_spoof(mg_engine *e, int net, const uint8_t *bgr, int w, int h, int x0, int y0, int x1, int y1, float *out, char *err, size_t cap) {
  return guarded(err, cap, [&] {
    cv::Mat crop;
    cv::resize(view(bgr, w, h)(cv::Rect(x0, y0, x1 - x0 + 1, y1 - y0 + 1)), crop, cv::Size(80, 80), 0, 0, cv::INTER_LINEAR);
    cv::dnn::Net &n = e->spoof[net & 1];
    n.setInput(cv::dnn::blobFromImage(crop), "input");
    copyOut(n.forward("prob"), out, 3);
    crop.setTo(cv::Scalar());
  });
}
