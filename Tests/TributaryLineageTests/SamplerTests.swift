import Testing
import TributaryCore
import TributaryLineage

@Suite struct SamplerTests {
    let sampled = TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: 1)
    let unsampled = TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: 2)

    func decide(_ sampler: Sampler, _ parent: TraceContext, _ traceLow: UInt64 = 0, key: String = "a") -> Bool {
        let key = Array(key.utf8)
        return sampler.isSampled(parent: parent, traceLow: traceLow, key: key.span.bytes)
    }

    @Test(arguments: [
        (1.0, "0"), (0.5, "8"), (1.0 / 3, "aaab"), (0.25, "c"), (0.2, "cccd"), (0.125, "e"), (0.1, "e666"),
        (0.05, "f3333"), (0.01, "fd70a"), (0.001, "ffbe77"),
    ])
    func `thresholds are rounded as OpenTelemetry's`(_ ratio: Double, _ text: String) {
        #expect(Sampler.ratio(ratio).probabilityThreshold == text)
    }

    @Test func `a ratio keeps the traces whose last 56 bits reach the threshold`() {
        let quarter = Sampler.ratio(0.25)
        #expect(decide(quarter, .none, 0xffc0_0000_0000_0000))
        #expect(!decide(quarter, .none, 0xffbf_ffff_ffff_ffff))
        #expect(decide(quarter, unsampled, 0x00ff_0000_0000_0000))
        #expect(!decide(Sampler.ratio(0), .none, UInt64.max))
        #expect(!decide(Sampler.ratio(-1), .none, UInt64.max))
        #expect(!decide(Sampler.ratio(.nan), .none, UInt64.max))
        #expect(decide(Sampler.ratio(2), .none, 0))
        #expect(decide(Sampler.ratio(0x1p-56), .none, UInt64.max))
        #expect(Sampler.ratio(0x1p-56).probabilityThreshold == "ffffffffffffff")
        var random = FastRandom(seed: 3)
        let kept = (0..<100_000).filter { _ in decide(quarter, .none, random.next()) }.count
        #expect((24_000...26_000).contains(kept))
    }

    @Test func `a parent decides where it is asked`() {
        #expect(decide(.parentBased(root: .alwaysOff), sampled))
        #expect(!decide(.parentBased(root: .alwaysOff), .none))
        #expect(!decide(.parentBased(root: .alwaysOn), unsampled))
        #expect(decide(.parentBased(root: .alwaysOn), .none))
        #expect(decide(.parentBased(root: .ratio(0.5)), .none, UInt64.max))
        #expect(!decide(.parentBased(root: .ratio(0.5)), unsampled, UInt64.max))
        #expect(decide(.alwaysOn, unsampled))
        #expect(!decide(.alwaysOff, sampled))
        #expect(Sampler.alwaysOff.probabilityThreshold == nil)
    }

    @Test func `by key all records of a key are sampled, and those of sampled parents`() {
        let half = Sampler.byKey(ratio: 0.5)
        let keys = (0..<1000).map { "key \($0)" }
        let chosen = keys.filter { decide(half, .none, 0, key: $0) }
        #expect((430...570).contains(chosen.count))
        #expect(chosen == keys.filter { decide(half, unsampled, UInt64.max, key: $0) })
        #expect(keys.allSatisfy { decide(half, sampled, 0, key: $0) })
        let fewer = keys.filter { decide(.byKey(ratio: 0.1), .none, 0, key: $0) }
        #expect(Set(fewer).isSubset(of: chosen))
        #expect(decide(.parentBased(root: .byKey(ratio: 1)), unsampled))
    }
}
