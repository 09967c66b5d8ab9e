import TestSupport
import Testing
import Tributary
import TributaryCore

/// How often the process is killed at each point: `TRIBUTARY_KILLS_PER_POINT`, else twice, or 20 times in a soak.
private let killsPerPoint =
    environment("TRIBUTARY_KILLS_PER_POINT").flatMap { Int($0) } ?? (environment("TRIBUTARY_SOAK") != nil ? 20 : 2)

private let seed = environment("TRIBUTARY_SEED").flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000)

/// Kills between the steps of a commit, a restore, a swap and a compaction: each must be found by the next start as if it had
/// come before the step or after it, with nothing lost and nothing twice.
@Suite(.serialized, .timeLimit(.minutes(60))) struct KillPointTests {
    @Test(arguments: [ProcessingGuarantee.exactlyOnce, .atLeastOnce])
    func `the bank app killed between any two steps loses nothing, and what is doubled shows`(
        _ guarantee: ProcessingGuarantee
    ) throws {
        let run = try CrashRun(guarantee, seed: seed, maintains: false)
        var reached: [KillPoint: Int] = [:]
        for number in 0..<killsPerPoint {
            for point in KillPoint.allCases where point.isReached(guarantee) {
                if try run.kill(at: point, number: number) { reached[point, default: 0] += 1 }
            }
        }
        try run.finish()
        try run.check()
        try run.checkRestored()
        let table = KillPoint.allCases.compactMap { point in reached[point].map { "\(point) \($0)" } }
        print("\(guarantee.rawValue), killed at: \(table.joined(separator: ", "))")
        for point in KillPoint.allCases where point.isReached(guarantee) {
            #expect(reached[point] == killsPerPoint, "\(point) was not reached")
        }
    }
}

extension KillPoint {
    /// Whether the bank app comes there.
    fileprivate func isReached(_ guarantee: ProcessingGuarantee) -> Bool {
        self != .outputsWritten || guarantee == .atLeastOnce
    }

    /// Whether it lies in the start of an application, which comes there once for each task.
    var isOfStart: Bool { isOfRestore || isOfRebuild }

    /// Whether it lies in a restore.
    var isOfRestore: Bool {
        switch self {
        case .restoreBegun, .restoreBatch, .restoreApplied, .restored: true
        default: false
        }
    }

    /// Whether it lies in the swap of a state file that is built anew.
    var isOfRebuild: Bool {
        switch self {
        case .rebuiltSynced, .rebuiltRenamed, .rebuiltInPlace: true
        default: false
        }
    }
}
