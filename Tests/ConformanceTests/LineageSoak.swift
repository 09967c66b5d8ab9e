import TestSupport
import Testing
import TributaryConformance

/// Random topologies, judged by themselves (`TruthRun`).
///
/// 300 in each run of the tests, 3,000 in the soak, from a new seed on, which is printed: `TRIBUTARY_SEED` repeats it, `TRIBUTARY_CASES` says
/// how many.
/// Where four divides the seed the case is of the whole DSL; else its values name their records, and there is a model.
@Suite("LineageTruth soak") struct LineageSoak {
    private static let isLong = environment("TRIBUTARY_SOAK") != nil
    private static let first = environment("TRIBUTARY_SEED").flatMap { UInt64($0) } ?? UInt64.random(in: 1...1 << 40)
    private static let count = UInt64(environment("TRIBUTARY_CASES").flatMap { Int($0) } ?? (isLong ? 3000 : 300))

    /// Seeds in portions of a test each, so that all cores have something to do and a failure names few.
    private static let portions: [Range<UInt64>] = {
        print("\(count) random cases: TRIBUTARY_SEED=\(first) TRIBUTARY_CASES=\(count)")
        return stride(from: first, to: first + count, by: 10).map { $0..<min($0 + 10, first + count) }
    }()

    private static func makeCase(_ seed: UInt64) throws -> ConformanceCase {
        if seed.isMultiple(of: 4) { return try TopologyGenerator.makeCase(seed: seed) }
        let caches = LineageGenerator.Caches.allCases
        return try LineageGenerator.makeCase(seed: seed, caches: caches[Int(seed / 4 % UInt64(caches.count))])
    }

    @Test(arguments: portions)
    func `random topologies do the same however they run, and their lineage is right`(_ seeds: Range<UInt64>) throws {
        for seed in seeds {
            let outcome = TruthRun.judge(try Self.makeCase(seed), rotation: Self.isLong ? nil : seed)
            #expect(outcome.problems == [], "TRIBUTARY_SEED=\(seed) TRIBUTARY_CASES=1")
        }
    }

    @Test(arguments: [10080, 10272, 10373, 10484, 10592, 10883] as [UInt64])
    func `a put that the cache replaced is history, not a contribution`(_ seed: UInt64) throws {
        let outcome = TruthRun.judge(try LineageGenerator.makeCase(seed: seed, caches: .on, isWide: false))
        #expect(outcome.problems == [])
        #expect(outcome.checkedValues > 0)
    }

    @Test(arguments: isLong ? portions : Array(portions.prefix(1)))
    func `LineageTruth holds for applications on the embedded log, also restarted`(
        _ seeds: Range<UInt64>
    ) async throws {
        for seed in seeds {
            let item = try LineageGenerator.makeCase(seed: seed)
            let outcome = await TruthRun.judgeApplication(item)
            #expect(outcome.problems == [], "TRIBUTARY_SEED=\(seed) TRIBUTARY_CASES=1")
        }
    }
}
