# The jobs of compare.py for R's mclust: CPU seconds of the job alone, then its log-likelihood.
# Rscript mclust.R em DATA.csv MEANS.csv STEPS, or Rscript mclust.R select DATA.csv COMPONENTS
suppressPackageStartupMessages(library(mclust))
arguments <- commandArgs(trailingOnly = TRUE)
x <- as.matrix(read.csv(arguments[2], header = FALSE))

job <- if (arguments[1] == "em") {
  means <- t(as.matrix(read.csv(arguments[3], header = FALSE)))
  d <- nrow(means)
  k <- ncol(means)
  unit <- array(diag(d), c(d, d, k))
  variance <- list(modelName = "VVV", d = d, G = k, sigma = unit, cholsigma = unit)
  start <- list(pro = rep(1 / k, k), mean = means, variance = variance)
  control <- emControl(itmax = as.integer(arguments[4]), tol = c(0, 0))
  function() em(x, "VVV", start, control = control)
} else {
  function() Mclust(x, G = 1:as.integer(arguments[3]), verbose = FALSE)
}
before <- proc.time()
fit <- job()
used <- proc.time() - before
cat(used[["user.self"]] + used[["sys.self"]], format(fit$loglik, digits = 17), "\n")
