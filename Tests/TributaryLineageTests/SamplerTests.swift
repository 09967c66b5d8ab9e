import Testing
import TributaryCore
import TributaryLineage

@Suite struct SamplerTests {
    let sampled = TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: 1)
    let unsampled = TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: 2)

    func decide(_ sampler: Sampler, _ parent: TraceContext, _ traceLow: UInt64 = 0, key: String? = "a") -> Bool {
        guard let key else { return sampler.isSampled(parent: parent, traceLow: traceLow, key: nil) }
        let bytes = Array(key.utf8)
        return sampler.isSampled(parent: parent, traceLow: traceLow, key: bytes.span.bytes)
    }

    @Test func `by key what has no key is chosen by its trace`() {
        let quarter = Sampler.byKey(ratio: 0.25)
        #expect(decide(quarter, .none, 0xc0_0000_0000_0000, key: nil))
        #expect(!decide(quarter, .none, 0xbf_ffff_ffff_ffff, key: nil))
        #expect(decide(quarter, sampled, 0, key: nil))
        var random = FastRandom(seed: 5)
        let kept = (0..<10_000).filter { _ in decide(quarter, .none, random.next(), key: nil) }.count
        #expect((2_300...2_700).contains(kept))
        // An empty key is a key.
        #expect(decide(quarter, .none, 0, key: "") == decide(quarter, .none, UInt64.max, key: ""))
    }

    func received(
        _ sampler: Sampler, _ parent: TraceContext, tracestate: String = "", isRecording: Bool = true
    ) -> (context: TraceContext, tracestate: String) {
        let recorder = LineageRecorder(
            mode: .cells, sampler: sampler, exporter: isRecording ? Ignoring() : nil, random: FastRandom(seed: 1))
        var parent = parent
        let text = Array(tracestate.utf8)
        recorder.know(text.span.bytes, of: &parent)
        let context = recorder.received(parent, key: nil)
        return (context, String(decoding: [UInt8](copying: recorder.tracestate(of: context)), as: UTF8.self))
    }

    @Test(arguments: [true, false])
    func `only samplers that ask the parent follow it, with an exporter and without`(_ isRecording: Bool) {
        let high = TraceContext(traceHigh: 1, traceLow: 0x00ff_ffff_ffff_0000, span: 3, flags: 1)
        let off = received(.alwaysOff, sampled, isRecording: isRecording).context
        #expect(!off.isSampled && off.traceLow == 2)
        // The flag was changed, so it isn't the parent's id any more.
        #expect(off.span != 3 && off.isValid)
        let rejected = received(.ratio(0.5), sampled, tracestate: "v=1,ot=th:0", isRecording: isRecording)
        #expect(!rejected.context.isSampled && rejected.context.span != 3 && rejected.tracestate == "v=1")
        let kept = received(.ratio(0.5), high, tracestate: "ot=th:c;x:y", isRecording: isRecording)
        #expect(kept.context.isSampled && kept.context.span == 3 && kept.tracestate == "ot=th:8;x:y")
        #expect(received(.ratio(0.5), high, isRecording: isRecording).tracestate == "ot=th:8")
        let on = received(.alwaysOn, unsampled, isRecording: isRecording).context
        #expect(on.isSampled && (on.span == 3) == isRecording)
        let asked = received(.parentBased(root: .alwaysOff), sampled, tracestate: "ot=th:0", isRecording: isRecording)
        #expect(asked.context.span == 3 && asked.context.isSampled && asked.tracestate == "ot=th:0")
    }

    @Test func `a threshold that contradicts the parent's decision is taken out, another is kept`() {
        let asks = Sampler.parentBased(root: .alwaysOn)
        #expect(received(asks, sampled, tracestate: "ot=th:8;p:1,v=1").tracestate == "ot=p:1,v=1")
        #expect(received(asks, unsampled, tracestate: "ot=th:0").tracestate == "")
        #expect(received(asks, unsampled, tracestate: "ot=th:8").tracestate == "ot=th:8")
        // Its own randomness counts, not its id's.
        let text = "ot=th:8;rv:ffffffffffffff"
        #expect(received(asks, sampled, tracestate: text).tracestate == text)
        let half = received(.ratio(0.5), unsampled, tracestate: "ot=rv:ffffffffffffff")
        #expect(half.context.isSampled && half.tracestate == "ot=th:8;rv:ffffffffffffff")
    }

    @Test func `new traces are flagged as the sampler says, also without an exporter`() {
        let root = received(.parentBased(root: .alwaysOn), .none, isRecording: false).context
        #expect(root.isValid && root.flags & 3 == 3)
        #expect(received(.alwaysOff, .none, isRecording: false).context.flags & 3 == 2)
        var sampled = 0
        let recorder = LineageRecorder(mode: .context, sampler: .ratio(0.5), random: FastRandom(seed: 7))
        for _ in 0..<1000 {
            let context = recorder.received(.none, key: nil)
            guard context.isSampled else { continue }
            sampled += 1
            #expect(context.traceLow & 0x00ff_ffff_ffff_ffff >= 1 << 55)
            #expect(!recorder.makesSpan(context, .log))
        }
        #expect((430...570).contains(sampled))
    }

    private struct Ignoring: SpanExporter {
        func export(_ batch: SpanBatch) {}
        func flush(timeout: Duration) {}
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
