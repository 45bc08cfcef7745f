//! Finds the customer that an id or an e-mail address identifies, in two steps: [`find_customer`]
//! and then [`add_emails`]. For both, `orders` calls its argument with the identity in each order.

use oms_engine::table::{Customer, Identity};

/// Finds a customer in orders and in `rows`, which are the identities in the rows that name
/// [`Customer::named`]. Returns `None` if no row and no order has the id or the address.
///
/// # Errors
/// Returns an error if `orders` fails.
pub fn find_customer<E>(
    who: &str,
    rows: &[Identity],
    orders: impl Fn(&mut dyn FnMut(&Identity)) -> Result<(), E>,
) -> Result<Option<Customer>, E> {
    let (mut named, mut customer) = (Customer::named(who), Customer::default());
    let mut is_id = rows.iter().any(|identity| named.has_id_of(identity));
    if !is_id {
        orders(&mut |identity| is_id |= named.has_id_of(identity))?;
    }
    if is_id {
        // The value may also be the address of another customer, who can be identified by id.
        named = named.by_id_only();
    }
    for identity in rows {
        customer.add_matching(&named, identity);
    }
    orders(&mut |identity| customer.add_matching(&named, identity))?;
    Ok(Some(customer).filter(|customer| !customer.is_empty()))
}

/// Adds the e-mail addresses of a customer in orders and in `rows`, which are the identities in the
/// rows that name the customer. An order without a customer id belongs to the customer with the same
/// address.
///
/// # Errors
/// Returns an error if `orders` fails.
pub fn add_emails<E>(
    customer: &mut Customer,
    rows: &[Identity],
    orders: impl Fn(&mut dyn FnMut(&Identity)) -> Result<(), E>,
) -> Result<(), E> {
    for identity in rows {
        customer.add_emails(identity);
    }
    orders(&mut |identity| customer.add_emails(identity))
}
