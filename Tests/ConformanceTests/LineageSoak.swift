import TestSupport
import Testing
import TributaryConformance

/// Random topologies judged by the tokens in their values.
///
/// Nine in each run of the tests; 1,000, or as many more as it says, where `TRIBUTARY_SOAK` is set in the environment.
/// Each topology runs with caches off, on, and as they come; each of those sampled on LMDB, unsampled in memory, restarted
/// halfway, and restored from changelogs halfway (`TruthRun`).
@Suite("LineageTruth soak") struct LineageSoak {
    private static let isLong = environment("TRIBUTARY_SOAK") != nil

    /// Seeds in portions of a test each, so that all cores have something to do and a failure names few.
    ///
    /// `TRIBUTARY_SEED` names the only one to run.
    private static let portions: [ClosedRange<UInt64>] = {
        if let only = environment("TRIBUTARY_SEED").flatMap({ UInt64($0) }) { return [only...only] }
        let count = environment("TRIBUTARY_SOAK").map { max(UInt64($0) ?? 0, 1000) } ?? 9
        let size = max(count / 50, 3)
        return stride(from: 1, through: count, by: Int(size)).map { $0...min($0 + size - 1, count) }
    }()

    @Test(arguments: portions)
    func `LineageTruth holds for random topologies, sampled and not, after restart and restore`(
        _ seeds: ClosedRange<UInt64>
    ) throws {
        var judged = 0
        for seed in seeds {
            for caches in LineageGenerator.Caches.allCases {
                let item = try LineageGenerator.makeCase(seed: seed, caches: caches)
                let outcome = TruthRun.judge(item)
                #expect(outcome.problems == [], "seed \(seed), caches \(caches)")
                // A topology that has to be refused gives no values.
                if outcome.checkedValues > 0 || item.expected.failure == .build { judged += 1 }
            }
        }
        expectMost(judged, seeds)
    }

    /// A few cases have nothing but tombstones and null keys, and so no value to judge: what they send is the model's, which is looked at anyway.
    private func expectMost(_ judged: Int, _ seeds: ClosedRange<UInt64>) {
        let cases = seeds.count * LineageGenerator.Caches.allCases.count
        #expect(judged > 0 && (seeds.count < 10 || judged * 5 >= cases * 4), "\(judged) of \(cases) cases were judged")
    }

    @Test(arguments: [10080, 10272, 10373, 10484, 10592, 10883] as [UInt64])
    func `a put that the cache replaced is history, not a contribution`(_ seed: UInt64) throws {
        let outcome = TruthRun.judge(try LineageGenerator.makeCase(seed: seed, caches: .on, isWide: false))
        #expect(outcome.problems == [])
        #expect(outcome.checkedValues > 0)
    }

    @Test(arguments: isLong ? portions : Array(portions.prefix(1)))
    func `LineageTruth holds for applications on the embedded log, also restarted`(
        _ seeds: ClosedRange<UInt64>
    ) async throws {
        var judged = 0
        for seed in seeds {
            for caches in LineageGenerator.Caches.allCases {
                let item = try LineageGenerator.makeCase(seed: seed, caches: caches)
                let outcome = await TruthRun.judgeApplication(item)
                #expect(outcome.problems == [], "seed \(seed), caches \(caches)")
                if outcome.checkedValues > 0 || item.expected.failure == .build { judged += 1 }
            }
        }
        expectMost(judged, seeds)
    }
}
