import Foundation

// Synchronous on purpose: valgrind can't run an asynchronous main.
exit(runBenchmarks(Array(CommandLine.arguments.dropFirst())))
