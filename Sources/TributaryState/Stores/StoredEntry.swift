public import TributaryCore

/// Takes what a store writes, to be appended to its changelog.
public protocol ChangelogWriter: AnyObject {
    /// Appends one record; everything is copied before the call returns.
    ///
    /// - Parameters:
    ///   - key: the key in the changelog's layout.
    ///   - value: nil for a delete.
    ///   - timestamp: ms since the epoch.
    ///   - context: of the write; becomes a header.
    ///   - cell: the value of the header `tributary-cell`; empty for none.
    ///   - headers: those of the user's that are kept with the row; empty for none.
    func append(
        key: RawSpan, value: RawSpan?, timestamp: Int64, context: TraceContext, cell: RawSpan, headers: RawSpan
    ) throws
}
