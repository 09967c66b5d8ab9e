internal import TributaryCore

/// How far apart in time two records may be that a join of streams makes a pair of, as Kafka Streams' `JoinWindows`.
///
/// A record of the left stream at time t makes pairs with those of the right one from `t - before` through `t + after`. Both streams keep their
/// records for as long as that and ``grace``; what comes later may find nothing any more (Docs/Semantics.md, Joins of streams).
public struct JoinWindows: Hashable, Sendable {
    /// How much earlier the right record may be; negative: how much later it has to be.
    public let before: Duration
    /// How much later the right record may be; negative: how much earlier it has to be.
    public let after: Duration
    /// How long, in stream time, a window that has ended may still get pairs before a record without one goes on alone.
    public let grace: Duration
    /// Whether left and outer joins send a record on alone at once where it finds no match, though one may come.
    public let isEager: Bool
    // The same in ms, for records to be compared with.
    @usableFromInline let beforeTime: Int64
    @usableFromInline let afterTime: Int64
    @usableFromInline let graceTime: Int64

    private init(before: Duration, after: Duration, grace: Duration, isEager: Bool) {
        self.before = before
        self.after = after
        self.grace = grace
        self.isEager = isEager
        beforeTime = before.milliseconds
        afterTime = after.milliseconds
        graceTime = grace.milliseconds
    }

    /// Pairs of records no further apart than a time.
    ///
    /// - Parameters:
    ///   - difference: whole milliseconds, zero or more; `build()` refuses others.
    ///   - grace: zero or more.
    public static func within(_ difference: Duration, grace: Duration = .zero) -> JoinWindows {
        JoinWindows(before: difference, after: difference, grace: grace, isEager: false)
    }

    /// Pairs whose right record is so much earlier or later than the left one.
    ///
    /// - Parameters:
    ///   - before: how much earlier at most, whole milliseconds.
    ///   - after: how much later at most, whole milliseconds; both together are zero or more, or `build()` refuses them.
    ///   - grace: zero or more.
    public static func between(before: Duration, after: Duration, grace: Duration = .zero) -> JoinWindows {
        JoinWindows(before: before, after: after, grace: grace, isEager: false)
    }

    /// Pairs of records no further apart than a time, as Kafka Streams made them before 3.1 (`JoinWindows.of`).
    ///
    /// A left or outer join sends a record that finds no match on alone at once; pairs with it may follow. The grace is what is left of 24 hours.
    ///
    /// - Parameter difference: whole milliseconds, zero or more; `build()` refuses others.
    public static func eager(_ difference: Duration) -> JoinWindows {
        let time = difference.milliseconds
        let rest = Int64(86_400_000).subtractingSaturated(time.multipliedSaturated(by: 2))
        return JoinWindows(before: difference, after: difference, grace: .milliseconds(max(rest, 0)), isEager: true)
    }

    /// The length of the window, ms.
    @usableFromInline var sizeTime: Int64 { beforeTime.addingSaturated(afterTime) }

    /// How long both streams keep their records, ms of stream time.
    @usableFromInline var retentionTime: Int64 { sizeTime.addingSaturated(graceTime) }

    @usableFromInline var problem: String? {
        if sizeTime < 0 { return "the join's window ends before it starts: \(before) before, \(after) after" }
        if grace < .zero { return "the join's grace is \(grace), but must not be below zero" }
        for time in [before, after, grace] where time.milliseconds != .max {
            if time - .milliseconds(time.milliseconds) >= .nanoseconds(1) {
                return "the join's window has a time of \(time), but must be of whole milliseconds"
            }
        }
        return nil
    }
}
