internal import TributaryCore
internal import TributaryDSL

// Joins of two tables of an interpreted topology by foreign key.
extension TableHandle {
    func foreignKeyJoin(_ statement: Statement, _ other: any TableObject) throws -> any TableObject {
        if let other = other as? TableHandle<CaseKey, CaseValue> { return try join(statement, by: other.table) }
        if let other = other as? TableHandle<CaseKey, Int64> { return try join(statement, by: other.table) }
        throw CaseError("the other table has windowed keys").inside("in2")
    }

    private func join<Other: CaseValueType>(
        _ statement: Statement, by other: KTable<CaseKey, Other>
    ) throws -> any TableObject {
        let joiner = try statement.joiner
        let function = try statement.keyFunction("fk")
        let materialized = try statement.materialized?.materialized(key, Serde.caseText)
        let settings = TableJoined<Key, CaseKey>(named: try statement.name)
        let ofRow: @Sendable (Key, Value) throws -> CaseKey? = { function($0.caseKey, $1.caseValue) }
        let ofValue: @Sendable (Value) throws -> CaseKey? = { function(CaseKey.null, $0.caseValue) }
        let isOfKey = try statement.fields.bool("fkOfKey") ?? false
        let made: KTable<Key, CaseValue>
        switch (try statement.fields.requiredText("type"), isOfKey) {
        case ("inner", false):
            made = table.join(
                other, on: ofValue, value: .caseText, materialized: materialized, joined: settings
            ) { left, right in joiner(CaseKey.null, left.caseValue, right.caseValue) }
        case ("inner", true):
            made = table.join(
                other, onRow: ofRow, value: .caseText, materialized: materialized, joined: settings
            ) { left, right in joiner(CaseKey.null, left.caseValue, right.caseValue) }
        case ("left", false):
            made = table.leftJoin(
                other, on: ofValue, value: .caseText, materialized: materialized, joined: settings
            ) { left, right in joiner(CaseKey.null, left.caseValue, right?.caseValue ?? .null) }
        case ("left", true):
            made = table.leftJoin(
                other, onRow: ofRow, value: .caseText, materialized: materialized, joined: settings
            ) { left, right in joiner(CaseKey.null, left.caseValue, right?.caseValue ?? .null) }
        case (let type, _): throw CaseError("there is no join '\(type)' by foreign key").inside("type")
        }
        return TableHandle<Key, CaseValue>(table: made, key: key, keyFormat: keyFormat)
    }
}
