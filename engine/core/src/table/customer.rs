//! The customer to whom a row or an order belongs, identified by the values of the fields that are
//! declared for this purpose.

use std::collections::BTreeSet;

/// The customer's id and e-mail addresses in an order or a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    id: Option<String>,
    /// E-mail addresses in lower case, because most mail servers ignore the case.
    emails: Vec<String>,
}

impl Identity {
    /// Sets the customer's id. An empty id is ignored.
    pub fn set_id(&mut self, id: String) {
        self.id = Some(id).filter(|id| !id.is_empty());
    }

    /// Adds an e-mail address of the customer. An empty address, as in an erased row, is ignored.
    pub fn add_email(&mut self, email: &str) {
        if !email.is_empty() {
            self.emails.push(email.to_ascii_lowercase());
        }
    }

    /// Returns the customer's id.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

/// A customer: all ids and e-mail addresses that lead to the same person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Customer {
    ids: BTreeSet<String>,
    emails: BTreeSet<String>,
}

impl Customer {
    /// Returns a customer with `who` as both the id and the e-mail address, because it can be
    /// either.
    pub fn named(who: &str) -> Self {
        let mut customer = Self::default();
        customer.ids.insert(who.to_owned());
        customer.emails.insert(who.to_ascii_lowercase());
        customer
    }

    /// Returns whether an order or a row has one of the customer's ids.
    pub fn has_id_of(&self, identity: &Identity) -> bool {
        identity.id.as_ref().is_some_and(|id| self.ids.contains(id))
    }

    /// Returns the customer with the same ids, but without e-mail addresses.
    #[must_use]
    pub fn by_id_only(self) -> Self {
        Self { emails: BTreeSet::new(), ..self }
    }

    /// Returns the ids.
    pub const fn ids(&self) -> &BTreeSet<String> {
        &self.ids
    }

    /// Returns the e-mail addresses in lower case.
    pub const fn emails(&self) -> &BTreeSet<String> {
        &self.emails
    }

    /// Returns whether the customer has neither ids nor e-mail addresses, so that nothing can
    /// belong to it.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.emails.is_empty()
    }

    /// Returns whether an order or a row has one of the customer's ids or e-mail addresses.
    pub fn matches(&self, identity: &Identity) -> bool {
        self.has_id_of(identity) || self.has_email(identity)
    }

    /// Returns whether an order or a row belongs to this customer. If it has an id, the id decides.
    /// Otherwise, the e-mail addresses decide.
    pub fn owns(&self, identity: &Identity) -> bool {
        match &identity.id {
            Some(id) => self.ids.contains(id),
            None => self.has_email(identity),
        }
    }

    /// Adds the id of an order or a row if it matches `named`, and the e-mail addresses that match.
    pub fn add_matching(&mut self, named: &Self, identity: &Identity) {
        if named.matches(identity) {
            self.ids.extend(identity.id.clone());
            let emails = identity.emails.iter().filter(|email| named.emails.contains(*email));
            self.emails.extend(emails.cloned());
        }
    }

    /// Adds the e-mail addresses of an order or a row with one of the ids.
    pub fn add_emails(&mut self, identity: &Identity) {
        if self.has_id_of(identity) {
            self.emails.extend(identity.emails.iter().cloned());
        }
    }

    fn has_email(&self, identity: &Identity) -> bool {
        identity.emails.iter().any(|email| self.emails.contains(email))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(id: Option<&str>, emails: &[&str]) -> Identity {
        let mut identity = Identity::default();
        id.into_iter().for_each(|id| identity.set_id(id.to_owned()));
        emails.iter().for_each(|email| identity.add_email(email));
        identity
    }

    #[test]
    fn an_address_leads_to_ids_and_an_id_decides_who_owns_an_order() {
        let all = [
            identity(Some("C1"), &["Ann@example.org"]),
            identity(Some("C1"), &["ann@work.example"]),
            identity(Some("C2"), &["bo@example.org"]),
            identity(None, &["ann@work.example"]),
            identity(None, &["bo@example.org"]),
            identity(None, &[]),
            identity(Some(""), &["bo@example.org", ""]),
            identity(Some("C1"), &[""]),
        ];
        let owned = |who: &str| -> Vec<usize> {
            let (named, mut customer) = (Customer::named(who), Customer::default());
            all.iter().for_each(|identity| customer.add_matching(&named, identity));
            all.iter().for_each(|identity| customer.add_emails(identity));
            (0..all.len()).filter(|at| customer.owns(&all[*at])).collect()
        };
        assert_eq!(owned("C1"), [0, 1, 3, 7]);
        assert_eq!(owned("ann@EXAMPLE.org"), [0, 1, 3, 7]);
        assert_eq!(owned("ann@work.example"), [0, 1, 3, 7]);
        assert_eq!(owned("C2"), [2, 4, 6]);
        assert!(owned("c1").is_empty() && owned("Ann").is_empty() && owned("").is_empty());
    }

    #[test]
    fn another_customers_order_with_the_same_address_is_not_owned() {
        let (first, second) =
            (identity(Some("C1"), &["a@b.org"]), identity(Some("C2"), &["a@b.org"]));
        let (named, mut customer) = (Customer::named("C1"), Customer::default());
        for identity in [&first, &second] {
            customer.add_matching(&named, identity);
        }
        for identity in [&first, &second] {
            customer.add_emails(identity);
        }
        assert!(customer.owns(&first) && !customer.owns(&second));
    }
}
