/* Decisions over time in C99: cc -I RUN/export decide.c -o decide && ./decide < scores.csv
   postprocessing.h has the settings. Input and output are those of decide.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "postprocessing.h"

typedef struct { double start, stop, score; int lasts; } event;
static double last[SMOOTHING_WINDOWS][CLASSES], mean[CLASSES], free_from[CLASSES];
static double middles[CLASSES][MOST_MINIMUM_WINDOWS];
static event events[CLASSES];
static long windows, reached[CLASSES];

static int rising(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}
static double later(double a, double b) { return a > b ? a : b; }
static double smooth(int c, double score) {
    long n = windows + 1 < SMOOTHING_WINDOWS ? windows + 1 : SMOOTHING_WINDOWS, i;
    double weight = 2.0 / (SMOOTHING_WINDOWS + 1), sum = 0, sorted[SMOOTHING_WINDOWS];
    if (SMOOTHING == 0) return score;
    if (SMOOTHING == 3)
        return mean[c] = weight * score + (1 - weight) * (windows ? mean[c] : score);
    last[windows % SMOOTHING_WINDOWS][c] = score;
    for (i = 0; i < n; i++) { /* the oldest first */
        sorted[i] = last[(windows + 1 - n + i) % SMOOTHING_WINDOWS][c];
        sum += sorted[i];
    }
    if (SMOOTHING == 1) return sum / n;
    qsort(sorted, n, sizeof *sorted, rising);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}
static void print(int c) {
    printf("%.6f,%.6f,%s,%.6f\n", events[c].start, events[c].stop, SETTINGS[c].label,
           events[c].score);
    events[c].lasts = 0;
}
static void push(double start, const double *scores) { /* one for each label */
    long lag = windows < SMOOTHING_WINDOWS - 1 ? windows : SMOOTHING_WINDOWS - 1;
    double middle = start + WINDOW_SECONDS / 2 - lag / 2.0 * HOP_SECONDS, half = HOP_SECONDS / 2;
    for (int c = 0; c < CLASSES; c++) {
        double score = smooth(c, scores[SETTINGS[c].score]);
        int most = SETTINGS[c].minimum_windows;
        event *e = &events[c];
        reached[c] = score >= SETTINGS[c].threshold ? reached[c] + 1 : 0;
        middles[c][windows % most] = middle;
        if (e->lasts && score < SETTINGS[c].release) {
            free_from[c] = start + SETTINGS[c].refractory_seconds;
            print(c);
        } else if (e->lasts) {
            e->stop = later(middle + half, e->start);
            if (score > e->score) e->score = score;
        } else if (reached[c] >= most && start >= free_from[c]) { /* the first of so many: */
            double first = middles[c][(windows + 1) % most];
            double begun = later(first - half + SETTINGS[c].onset_shift_seconds, 0);
            *e = (event){begun, later(middle + half, begun), score, 1};
        }
    }
    windows++;
}
int main(void) {
    static char line[65536];
    if (!fgets(line, sizeof line, stdin)) return 1; /* the header */
    while (fgets(line, sizeof line, stdin)) {
        double scores[SCORES], start = strtod(strtok(line, ","), NULL);
        for (int i = 0; i < SCORES; i++) scores[i] = strtod(strtok(NULL, ","), NULL);
        push(start, scores);
    }
    for (int c = 0; c < CLASSES; c++) if (events[c].lasts) print(c);
    return 0;
}
