internal import TributaryCore

/// Which of the records that a task leaves out have a line of their own in the log: ten in a second.
///
/// A source can hold millions of late ones, one after the other; the others of a second are said by their number.
struct DropNotices {
    static let limit = 10
    private static let interval: Int64 = 1000

    private var end = Int64.min
    private var shown = 0
    private var hidden: Int64 = 0

    /// One more was left out.
    ///
    /// - Parameter now: monotonic time, ms.
    /// - Returns: whether it has a line of its own.
    mutating func admit(at now: Int64) -> Bool {
        if now >= end {
            end = now.addingSaturated(Self.interval)
            shown = 0
        }
        guard shown < Self.limit else {
            hidden += 1
            return false
        }
        shown += 1
        return true
    }

    /// How many had no line, once their second is over; then they are told.
    mutating func takeHidden(at now: Int64) -> Int64 {
        guard hidden > 0, now >= end else { return 0 }
        defer { hidden = 0 }
        return hidden
    }
}
