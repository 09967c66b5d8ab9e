public import TributaryCore

/// Takes what a store writes, to be appended to its changelog.
public protocol ChangelogWriter: AnyObject {
    /// Appends one record; everything is copied before the call returns.
    ///
    /// - Parameter record: the key in the changelog's layout; nil as value for a delete; context and cell of the write; those of the user's
    ///   headers that are kept with the row.
    func append(_ record: borrowing OutgoingRecord) throws
}
