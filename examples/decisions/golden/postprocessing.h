/* Written by `kerasnas tune-decisions`; the same settings as postprocessing.json. */
#define SCORES 3
#define CLASSES 2
#define WINDOW_SECONDS 1.0
#define HOP_SECONDS 0.25
#define SMOOTHING 1  /* 0 none, 1 mean, 2 median, 3 exponential */
#define SMOOTHING_WINDOWS 3
#define MOST_MINIMUM_WINDOWS 2
static const struct {
    const char *label;  /* its score is number: */
    int score;
    double threshold, release;
    int minimum_windows;
    double refractory_seconds, onset_shift_seconds;
} SETTINGS[] = {
    {"rain", 1, 0.6, 0.3, 2, 0.0, 0.0},
    {"dog", 2, 0.5, 0.5, 1, 1.0, 0.125},
};
