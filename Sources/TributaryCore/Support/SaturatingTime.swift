/// Arithmetic on times and settings that come from outside: what is too large stays at the greatest value instead of trapping, or
/// wrapping to where it came from.
///
/// `Int64.max` is thus "never" in whatever unit it is given.
extension Int64 {
    /// The sum; `Int64.max` or `Int64.min` where it lies beyond.
    @inlinable
    @inline(__always)
    public func addingSaturated(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? Int64.min : Int64.max) : sum
    }

    /// The difference; `Int64.max` or `Int64.min` where it lies beyond.
    @inlinable
    @inline(__always)
    public func subtractingSaturated(_ other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (other < 0 ? Int64.max : Int64.min) : difference
    }

    /// The product; `Int64.max` or `Int64.min` where it lies beyond.
    @inlinable
    @inline(__always)
    public func multipliedSaturated(by other: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? ((self < 0) == (other < 0) ? Int64.max : Int64.min) : product
    }
}

extension Duration {
    /// Whole milliseconds, rounded towards zero; `Int64.max` or `Int64.min` where there are more.
    ///
    /// What is missing by less than a nanosecond counts as there: `.seconds(1.9)` is some attoseconds less than 1900 ms.
    public var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        let almost: Int64 = attoseconds < 0 ? -999_999_999 : 999_999_999
        return seconds.multipliedSaturated(by: 1000).addingSaturated((attoseconds + almost) / 1_000_000_000_000_000)
    }
}
