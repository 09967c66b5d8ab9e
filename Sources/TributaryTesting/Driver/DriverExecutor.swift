internal import TributaryCore

/// Runs the asynchronous closures of topologies under test, on threads of its own.
///
/// A driver waits for them on its test's thread, which may be one of those few that Swift's tasks run on: if all of these waited, nobody would be
/// left to run what they wait for.
final class DriverExecutor: TaskExecutor {
    static let shared = DriverExecutor(threads: 4)
    private let jobs = Monitor<[UnownedJob]>([])

    private init(threads: Int) {
        for number in 0..<threads {
            _ = OSThread.start("driver-\(number)", stack: 1 << 20) { [self] in
                while true {
                    let job = jobs.wait(milliseconds: nil) { list in list.isEmpty ? nil : list.removeFirst() }
                    job?.runSynchronously(on: asUnownedTaskExecutor())
                }
            }
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.change { $0.append(job) }
    }
}
