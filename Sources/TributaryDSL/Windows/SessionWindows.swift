internal import TributaryCore

/// Windows that end by inactivity: the records of a key belong together as long as none is further than a gap from the next.
///
/// A session reaches from its first record's time to its last one's, both included; a record between two sessions merges them
/// (Docs/Semantics.md, Windows).
public struct SessionWindows: Hashable, Sendable {
    /// The time between two records that ends a session.
    public let gap: Duration
    /// How long after its end and the gap, in stream time, a session still takes records.
    public let grace: Duration
    @usableFromInline let gapTime: Int64
    @usableFromInline let graceTime: Int64

    /// Makes windows.
    ///
    /// - Parameters:
    ///   - gap: whole milliseconds, one or more; `build()` refuses others.
    ///   - grace: zero or more.
    public init(gap: Duration, grace: Duration = .zero) {
        self.gap = gap
        self.grace = grace
        gapTime = gap.milliseconds
        graceTime = grace.milliseconds
    }

    /// Sessions that end after a time without records.
    public static func inactivity(gap: Duration, grace: Duration = .zero) -> SessionWindows {
        SessionWindows(gap: gap, grace: grace)
    }

    var problem: String? {
        if let problem = TimeWindows.problem("gap", gap) { return problem }
        return grace < .zero ? "the sessions' grace is \(grace), but must not be below zero" : nil
    }

    /// How long a store keeps sessions at least, and how long behind their end they stay open, ms.
    @usableFromInline var leastRetention: Int64 { gapTime.addingSaturated(graceTime) }
}

/// Windows around records: all records of a key that are no further apart than a time, as Kafka Streams' `SlidingWindows`.
///
/// There is a window that ends with each record, and one that begins behind it if there is another in reach; both ends are
/// included (Docs/Semantics.md, Windows).
public struct SlidingWindows: Hashable, Sendable {
    /// The greatest time between two records of one window.
    public let difference: Duration
    /// How long after its end, in stream time, a window still takes records.
    public let grace: Duration
    @usableFromInline let differenceTime: Int64
    @usableFromInline let graceTime: Int64

    /// Makes windows.
    ///
    /// - Parameters:
    ///   - difference: whole milliseconds, one or more; `build()` refuses others but zero, which fails at the first record, as it does in Kafka
    ///     Streams.
    ///   - grace: zero or more.
    public init(difference: Duration, grace: Duration = .zero) {
        self.difference = difference
        self.grace = grace
        differenceTime = difference.milliseconds
        graceTime = grace.milliseconds
    }

    /// Windows of records that are no further apart than `difference`.
    public static func within(_ difference: Duration, grace: Duration = .zero) -> SlidingWindows {
        SlidingWindows(difference: difference, grace: grace)
    }

    var problem: String? {
        if difference != .zero, let problem = TimeWindows.problem("difference", difference) { return problem }
        return grace < .zero ? "the windows' grace is \(grace), but must not be below zero" : nil
    }

    /// How long a store keeps windows at least, ms.
    var leastRetention: Int64 { graceTime.addingSaturated(differenceTime.multipliedSaturated(by: 2)) }
}
