import Testing
import TributaryCore

@Suite struct SaturatingTimeTests {
    private static let words: [Int64] = [
        .min, .min + 1, -1_000_000_007, -1000, -2, -1, 0, 1, 2, 1000, 1_000_000_007, 1 << 62, .max - 1, .max,
    ]

    private static func clamped(_ exact: Int128) -> Int64 { Int64(clamping: exact) }

    @Test func `sums, differences and products stay at the ends where they lie beyond them`() {
        for a in Self.words {
            for b in Self.words {
                #expect(a.addingSaturated(b) == Self.clamped(Int128(a) + Int128(b)), "\(a) + \(b)")
                #expect(a.subtractingSaturated(b) == Self.clamped(Int128(a) - Int128(b)), "\(a) - \(b)")
                #expect(a.multipliedSaturated(by: b) == Self.clamped(Int128(a) * Int128(b)), "\(a) * \(b)")
            }
        }
    }

    @Test func `a duration of any length has milliseconds`() {
        #expect(Duration.milliseconds(1500).milliseconds == 1500)
        #expect(Duration.microseconds(-1999).milliseconds == -1)
        // Doubles that have no exact value are some attoseconds off.
        #expect(Duration.seconds(1.9).milliseconds == 1900 && Duration.seconds(-1.9).milliseconds == -1900)
        #expect(Duration.seconds(59.9).milliseconds == 59_900 && Duration.seconds(2.3).milliseconds == 2300)
        #expect(Duration.nanoseconds(1_999_999).milliseconds == 1 && Duration.nanoseconds(999_999).milliseconds == 0)
        #expect(Duration.seconds(Int64.max).milliseconds == .max)
        #expect(Duration.seconds(Int64.min).milliseconds == .min)
        let edge = Duration(secondsComponent: Int64.max / 1000, attosecondsComponent: 999_000_000_000_000_000)
        #expect(edge.milliseconds == .max)
    }
}
