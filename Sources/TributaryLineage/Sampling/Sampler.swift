public import TributaryCore

/// Decides which traces are exported; contexts and cells travel with every record, whatever it says.
///
/// Decisions by ratio are OpenTelemetry's consistent probability: they depend on the trace id alone, so that every process
/// with the same ratio decides alike, and one with a higher ratio keeps a superset.
public struct Sampler: Sendable, Equatable {
    private enum Root: UInt8, Sendable {
        case always, trace, key
    }

    /// What decides where there is no parent, or where the parent isn't asked.
    private let root: Root
    /// A parent's decision is taken over.
    private let asksParent: Bool
    /// Randomness below this is rejected; 2^56 rejects all.
    private let threshold: UInt64

    /// Every trace.
    public static let alwaysOn = Sampler(root: .always, asksParent: false, threshold: 0)

    /// No trace.
    public static let alwaysOff = Sampler(root: .always, asksParent: false, threshold: Sampler.all)

    /// The given share of the traces, chosen by the last 56 bits of the trace id.
    ///
    /// Shares are rounded to the precision that a `tracestate` carries (4 hexadecimal digits and one more for each leading
    /// `f`), so that ``probabilityThreshold`` says exactly what was decided.
    public static func ratio(_ ratio: Double) -> Sampler {
        Sampler(root: .trace, asksParent: false, threshold: Sampler.threshold(ratio))
    }

    /// A parent's decision; where there is no parent, what `root` decides.
    public static func parentBased(root: Sampler) -> Sampler {
        Sampler(root: root.root, asksParent: true, threshold: root.threshold)
    }

    /// Sampled if the parent is, or if the record's key is in the given share of all keys.
    ///
    /// All records of a chosen key are complete from where that key first appears, in every process. What has no key (records with
    /// a null key, punctuations) is chosen by its trace id, the same share of it.
    public static func byKey(ratio: Double) -> Sampler {
        Sampler(root: .key, asksParent: true, threshold: Sampler.threshold(ratio))
    }

    /// Whether a trace is sampled.
    ///
    /// - Parameters:
    ///   - parent: the context that came with the record; `TraceContext.none` for a new trace.
    ///   - traceLow: the last 8 bytes of the trace id.
    ///   - key: the bytes of the record's key; nil for a null key, and where there is no record.
    /// - Complexity: O(1), O(n) in the key's length for ``byKey(ratio:)``. Allocates nothing.
    public func isSampled(parent: TraceContext, traceLow: UInt64, key: RawSpan?) -> Bool {
        switch root {
        case .key:
            if parent.isSampled && parent.isValid { return true }
            guard let key else { return traceLow & Sampler.mask >= threshold }
            return checksum64(key) & Sampler.mask >= threshold
        case .trace:
            if asksParent && parent.isValid { return parent.isSampled }
            return traceLow & Sampler.mask >= threshold
        case .always:
            if asksParent && parent.isValid { return parent.isSampled }
            return threshold == 0
        }
    }

    /// The rejection threshold `th` of OpenTelemetry's `tracestate` for traces begun here; nil if none are, or by key.
    public var probabilityThreshold: String? { root == .key ? nil : Sampler.text(threshold) }

    /// The same where decisions are by trace: what a `tracestate` must say of traces sampled here.
    var tracestateThreshold: String? { root == .trace ? probabilityThreshold : nil }

    /// Whether each trace is decided upon by its id, whatever its parent says: the `tracestate` of others is corrected.
    var ignoresParents: Bool { root == .trace && !asksParent }

    /// A threshold as `th` has it; nil if it rejects all.
    package static func text(_ threshold: UInt64) -> String? {
        guard threshold < all else { return nil }
        var writer = ByteWriter(capacity: 16)
        writer.append(hex: threshold, digits: 14)
        var text = writer.text
        while text.utf8.count > 1 && text.hasSuffix("0") { text.removeLast() }
        return text
    }

    private static let all: UInt64 = 1 << 56
    private static let mask: UInt64 = (1 << 56) - 1

    /// The threshold of a share: (1 - ratio) x 2^56, rounded as `th` is.
    private static func threshold(_ ratio: Double) -> UInt64 {
        let kept = ratio * 0x1p56
        guard kept >= 1 else { return all }  // also for a NaN
        guard ratio < 1 else { return 0 }
        let exact = all - UInt64(kept.rounded())
        // 14 digits in 56 bits: leading digits f are leading ones of the word once it is shifted to the top.
        let leading = (~(exact << 8)).leadingZeroBitCount / 4
        let digits = 4 + leading
        guard digits < 14 else { return exact }
        let dropped = UInt64(14 - digits) * 4
        return ((exact + (1 << (dropped - 1))) >> dropped) << dropped
    }
}
