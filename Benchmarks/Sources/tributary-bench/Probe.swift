import CAllocationCounter
import CBaselines
import Foundation
import Synchronization
import Tributary

/// The clock of a measured application: a millisecond passes with each 1,000 records, so that intervals are numbers of
/// records; and as the stream thread asks for the time, it also notes how far it is and what it took.
final class Probe: @unchecked Sendable {
    // Touched by the stream thread alone once it runs; the finishing thread reads after `finished`.
    private struct Point {
        var records: Int64 = 0
        var wall: Int64 = 0
        var cpu: Int64 = 0
        var thread: Int64 = 0
        var allocations: Int64 = 0
    }
    private let from: Int64
    private let to: Int64
    private let mask: Int
    // Costs a tenth of a second a million records: not where time is measured.
    private let looksAtMemory: Bool
    private let isReal: Bool
    private var calls = 0
    private var now: Int64 = 0
    private var own: Int64 = 0
    private var first: Point?
    private var last: Point?
    private var application: StreamsApplication?
    // The greatest anonymous memory seen, bytes; looked at where the state is largest, between commits and after them.
    private var memory: Int64 = 0
    private var nextMemory: Int64 = 0
    private let failure = Mutex<(any Error)?>(nil)
    private let finished = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - mask: the progress is looked at when the number of calls has none of these bits: spans ask often.
    ///   - isReal: whether the clock is the machine's.
    init(from: Int64, to: Int64, mask: Int, looksAtMemory: Bool = false, isReal: Bool = false) {
        self.isReal = isReal
        self.looksAtMemory = looksAtMemory
        self.from = from
        self.to = to
        self.mask = mask
    }

    /// Nanoseconds: a thousand for each record.
    func time() -> Int64 {
        // What a real clock costs.
        let real = clock_gettime_nsec()
        calls &+= 1
        if calls & mask == 0 { look() }
        return isReal ? real : now
    }

    private func look() {
        guard last == nil, let application else { return }
        let before = allocation_count()
        let records = application.metrics.records
        now = records * 1_000
        if looksAtMemory, records >= nextMemory {
            memory = max(memory, anonymousBytes())
            nextMemory = records + 20_000
        }
        if first == nil, records >= from { first = point(records, before) }
        if records >= to {
            last = point(records, before)
            application.shutdown()
        }
        own += allocation_count() - before
    }

    private func point(_ records: Int64, _ allocations: Int64) -> Point {
        Point(
            records: records, wall: cb_wall(), cpu: cb_process_cpu(), thread: cb_thread_cpu(),
            allocations: allocations - own)
    }

    private func anonymousBytes() -> Int64 {
        guard let text = try? String(contentsOfFile: "/proc/self/smaps_rollup", encoding: .utf8) else { return 0 }
        for line in text.split(separator: "\n") where line.hasPrefix("Anonymous:") {
            return (Int64(line.split(separator: " ").dropFirst().first ?? "") ?? 0) << 10
        }
        return 0
    }

    private func clock_gettime_nsec() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }

    /// Runs an application until it has read enough.
    func run(_ application: StreamsApplication) throws {
        self.application = application
        Task {
            do { try await application.run() } catch { failure.withLock { $0 = error } }
            finished.signal()
        }
        finished.wait()
        self.application = nil
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    func sample() throws -> Sample {
        guard let first, let last else { throw UsageError(text: "the application ended before its input") }
        let records = Double(last.records - first.records)
        return Sample(
            wall: Double(last.wall - first.wall) / records, cpu: Double(last.cpu - first.cpu) / records,
            allocations: Double(last.allocations - first.allocations) / records,
            others: [
                "thread cpu": Double(last.thread - first.thread) / records,
                "anonymous MB": Double(memory) / 1_048_576,
            ].filter { $0.value > 0 })
    }
}
